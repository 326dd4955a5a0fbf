"""What an audit entry holds beside its sentence: codes, identifiers, figures, folded away until somebody looks.

Made without the template engine: fifty of them on a page took longer there than all the rest.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from html import escape
from urllib.parse import quote

from django.utils.safestring import SafeString

from portal.audit.models import AuditEvent
from portal.audit.rendering import came_by
from portal.core.digests import shortened
from portal.core.times import exactly, rfc3339
from portal.templatetags.amounts import binary
from portal.templatetags.elements import icon

KEY = re.compile(r"[0-9a-f]{16,}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*")
BYTES = re.compile(r"(^|_)bytes(_|$)|^size$")


def folded(event: AuditEvent) -> str:
    """The details behind a `Details` that opens them."""
    return f'<details class="more"><summary>Details</summary>{facts(event)}</details>'


def facts(event: AuditEvent) -> SafeString:
    """A list of names and values."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in _rows(event))
    return SafeString(f'<dl class="facts">{rows}</dl>')


def _rows(event: AuditEvent) -> Iterator[tuple[str, str]]:
    """Names as they are, values escaped."""
    action = quote(event.action, safe="")
    yield "Action", f'<a href="/audit/?action={action}"><code>{escape(event.action)}</code></a>'
    yield "Time", f'<time datetime="{rfc3339(event.at)}">{exactly(event.at)}</time>'
    yield "From", escape(came_by(event))
    if event.target_type:
        named = event.target_label.startswith(event.target_type)  # `credential 25ca8793…d0c7`
        about = event.target_label if named else f"{event.target_type} {event.target_label}"
        yield "About", f"{escape(about)} {_identifier(event.target_id)}"
    if event.vault_id and event.target_type != "vault":
        yield "Vault", f'<a href="/audit/?vault={event.vault_id}">all entries</a> {_identifier(event.vault_id)}'
    for name, value in event.detail.items():
        yield _label(name), _value(name, value)


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _value(name: str, value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{escape(str(key))}: {_value(str(key), one)}" for key, one in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(_value(name, one) for one in value) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int):
        return binary(value) if BYTES.search(name) else f"{value:,}"
    return _text(str(value))


def _text(text: str) -> str:
    if KEY.fullmatch(text):
        return _identifier(text)
    if TIME.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text)
            return f'<time datetime="{rfc3339(moment)}">{exactly(moment)}</time>'
        except (ValueError, OverflowError):
            pass  # looks like a time and is none: shown as it is
    return escape(text) or "–"


def _identifier(value: object) -> str:
    whole = escape(str(value))
    return (
        f'<span class="identifier"><code title="{whole}">{escape(shortened(value))}</code><button type="button"'
        f' class="icon-button" data-copy="{whole}" aria-label="Copy {whole}">{icon("copy")}</button></span>'
    )
