"""Refusals of a deployment that would not be safe. `manage.py prepare` runs them; so does every production start."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@register(Tags.security)
def addresses(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Off localhost people come by https, machines everywhere."""
    found: list[CheckMessage] = []
    portal, edge = urlsplit(settings.PORTAL_URL), urlsplit(settings.EDGE_URL)
    if portal.scheme != "https" and (portal.scheme != "http" or portal.hostname not in LOCAL):
        found.append(Error("PORTAL_URL must be https: it is not on localhost.", id="strongroom.E001"))
    if edge.scheme != "https":
        found.append(Error("EDGE_URL must be https.", id="strongroom.E002"))
    if portal.path or edge.path or portal.query or edge.query:
        found.append(Error("PORTAL_URL and EDGE_URL must be addresses without a path.", id="strongroom.E003"))
    return found


@register(Tags.security, deploy=True)
def production(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """What only a trial may have."""
    found: list[CheckMessage] = []
    if settings.DEBUG:
        found.append(Error("DEBUG shows settings and code to everybody; leave it off.", id="strongroom.E011"))
    if (settings.DATA / "demo-accounts.json").exists():
        found.append(
            Error(
                "The data folder has demo accounts, whose passwords lie in demo-accounts.json.",
                hint="Begin with an empty data folder and database.",
                id="strongroom.E012",
            )
        )
    try:
        probe = settings.DATA / f".writable-{id(found)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        found.append(Error(f"The data folder cannot be written: {error.strerror}.", id="strongroom.E013"))
    return found


def refuse_unsafe() -> None:
    """Raise ImproperlyConfigured with the first finding, when this is production. For programs that serve."""
    if settings.PRODUCTION and (found := addresses() + production()):
        raise ImproperlyConfigured(str(found[0].msg))
