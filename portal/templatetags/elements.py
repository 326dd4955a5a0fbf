"""Template tags behind the elements in `templates/elements/`; `templates/README.md` shows each in use."""

from django import template
from django.db import models
from django.forms import BoundField
from django.forms.widgets import CheckboxInput, ChoiceWidget, Select
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import slugify

from portal.transitions import StateTable

register = template.Library()
IDENTIFIER_ENDS = (8, 4)  # characters kept at the beginning and the end of a long identifier


@register.simple_tag
def icon(name: str) -> SafeString:
    """A picture of the sprite; decoration only, so give the thing a word as well."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("icons.svg"),
        name,
    )


@register.inclusion_tag("elements/status.html")
def status(obj: models.Model) -> dict[str, object]:
    """The state of `obj` as a dot and a word, by the state table of its model."""
    table: StateTable = type(obj).STATES  # type: ignore[attr-defined]
    state: str = obj.state  # type: ignore[attr-defined]
    look = table.looks[state]
    return {"label": look.label, "colour": look.colour, "meaning": look.meaning, "busy": look.colour == "blue"}


@register.inclusion_tag("elements/status.html")
def badge(label: str, colour: str = "grey", meaning: str = "", *, busy: bool = False) -> dict[str, object]:
    """The same look for what has no state table; colours: blue, green, amber, red, grey."""
    return {"label": label, "colour": colour, "meaning": meaning, "busy": busy}


@register.inclusion_tag("elements/field.html")
def field(bound: BoundField, label: str = "") -> dict[str, object]:
    """A form field with its label, help and errors beside it, joined by `aria-describedby`."""
    widget = bound.field.widget
    return {
        "field": bound,
        "label": label or bound.label,
        "check": isinstance(widget, CheckboxInput),
        "choices": isinstance(widget, ChoiceWidget) and not isinstance(widget, (Select, CheckboxInput)),
    }


@register.inclusion_tag("elements/identifier.html")
def identifier(value: object, label: str = "Copy", *, whole: bool = False) -> dict[str, object]:
    """An identifier in monospace, shortened in the middle unless `whole`, with a button that copies all of it."""
    text = str(value)
    head, tail = IDENTIFIER_ENDS
    short = text if whole or len(text) <= head + tail + 1 else f"{text[:head]}…{text[-tail:]}"
    return {"value": text, "short": short, "label": label}


@register.inclusion_tag("elements/nav_link.html", takes_context=True)
def nav_link(
    context: template.Context, url: str, label: str, picture: str, *, badge: str = "", more: str = ""
) -> dict[str, object]:
    """A link of the left navigation, marked as current on the pages below `url` and below `more`."""
    path = context["request"].path
    current = path.startswith(url) or bool(more and path.startswith(more))
    return {"url": url, "label": label, "picture": picture, "badge": badge, "current": current}


@register.filter
def initials(name: str) -> str:
    """Up to two letters that stand for a person."""
    words = slugify(name, allow_unicode=True).split("-") or [""]
    letters = words[0][:2] if len(words) == 1 else words[0][:1] + words[-1][:1]
    return letters.upper()
