"""Every address of the site, read from its own map, so that no test of all of them forgets one that is new."""

import re
from collections.abc import Iterator, Mapping, Sequence

from django.urls import URLPattern, URLResolver, get_resolver

from portal.api.app import schema

_KEY = re.compile(r"([a-z-]+)/<(?:uuid|int):[a-z_]+>")


def pages() -> list[str]:
    """The addresses that are neither the JSON API's nor the admin site's, with their keys as Django writes them."""
    return sorted({path for path in _walk(get_resolver().url_patterns) if not path.startswith(("api/v1/", "admin/"))})


def operations() -> list[tuple[str, str]]:
    """Method and address of each operation of the JSON API, with its keys in braces."""
    return [(method.upper(), path) for path, methods in schema()["paths"].items() for method in methods]


def filled(template: str, keys: Mapping[str, object]) -> str:
    """The address with its keys put in; `keys` goes by the word in front, as `vaults` or `machines`.

    Raises KeyError for a kind that is not there: then the test has to learn of it.
    """
    django = re.sub(r"\{([a-z_]+)\}", r"<uuid:\1>", template)
    return "/" + _KEY.sub(lambda match: f"{match[1]}/{keys[match[1]]}", django).lstrip("/")


def _walk(patterns: Sequence[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield path
        else:
            yield from _walk(pattern.url_patterns, path)
