"""Template tags behind the elements in `templates/elements/`; `templates/README.md` shows each in use.

A page has dozens of pictures, links of the frame and states, the same ones in every answer: those are made once in the
life of a process, which nothing can outdate, since neither addresses nor files nor templates change in it.
"""

from functools import cache, lru_cache
from uuid import UUID

from django import template
from django.db import models
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import slugify

from portal.core.digests import shortened
from portal.core.states import StateTable

register = template.Library()
CURRENT = SafeString(' aria-current="page"')
COUNT = '<span class="count">{}<span class="visually-hidden"> waiting for you</span></span>'
_ANY = str(UUID(int=0))


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """A picture of the sprite; decoration only, so give the thing a word as well."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("icons.svg"),
        name,
    )


@register.simple_tag
@cache
def link(name: str) -> str:
    """The address of a page that has no parts to fill in, as `{% url %}` gives it."""
    return reverse(name)


@register.simple_tag
def address(name: str, key: UUID) -> str:
    """The address of the page `name` of the row `key`, as `{% url %}` gives it, looked up once in a process."""
    return _address(name).replace(_ANY, str(key))


@cache
def _address(name: str) -> str:
    return reverse(name, args=[_ANY])


@register.simple_tag
def status(obj: models.Model) -> SafeString:
    """The state of `obj` as a dot and a word, by the state table of its model."""
    table: StateTable = type(obj).STATES  # type: ignore[attr-defined]
    state: str = obj.state  # type: ignore[attr-defined]
    look = table.looks[state]
    return badge(look.label, look.colour, look.meaning, busy=look.colour == "blue")


@register.simple_tag
@lru_cache(maxsize=256, typed=True)  # typed: text that is safe and the same text that is not are two things
def badge(label: str, colour: str = "grey", meaning: str = "", *, busy: bool = False) -> SafeString:
    """The same look for what has no state table; colours: blue, green, amber, red, grey."""
    look = {"label": label, "colour": colour, "meaning": meaning, "busy": busy}
    return render_to_string("elements/status.html", look)


@register.inclusion_tag("elements/identifier.html")
def identifier(value: object, label: str = "Copy", *, whole: bool = False) -> dict[str, object]:
    """An identifier in monospace, shortened in the middle unless `whole`, with a button that copies all of it."""
    text = str(value)
    return {"value": text, "short": text if whole else shortened(text), "label": label}


@register.simple_tag(takes_context=True)
def nav_link(
    context: template.Context, name: str, label: str, picture: str, *, badge: str = "", more: str = ""
) -> SafeString:
    """A link of the left navigation, marked as current on the pages below the page `name` and below `more`."""
    path, url = context["request"].path, link(name)
    current = path.startswith(url) or bool(more and path.startswith(more))
    return format_html(
        '<a href="{}"{}>{}<span>{}</span>{}</a>',
        url,
        CURRENT if current else "",
        icon(picture),
        label,
        format_html(COUNT, badge) if badge else "",
    )


@register.simple_tag(takes_context=True)
def sort_head(context: template.Context, word: str, label: str, kind: str = "") -> SafeString:
    """The head of a column that the list can be sorted by; needs `sorting`, a portal.core.sorting.Sorting, in context.

    A link, so that it works without a script; it begins at the first page. `kind` is the class of the cell.
    """
    sorting, query = context["sorting"], context["request"].GET.copy()
    query.pop("after", None)
    query["sort"] = sorting.toggled(word)
    aria = sorting.aria(word)
    return format_html(
        '<th scope="col" class="sort {}"{}><a id="sort-{}" href="?{}">{}{}</a></th>',
        kind,
        format_html(' aria-sort="{}"', aria) if aria else "",
        word,
        query.urlencode(),
        label,
        icon("down") if aria else "",
    )


@register.filter
def initials(name: str) -> str:
    """Up to two letters that stand for a person."""
    words = slugify(name, allow_unicode=True).split("-") or [""]
    letters = words[0][:2] if len(words) == 1 else words[0][:1] + words[-1][:1]
    return letters.upper()
