"""The rows of the audit log, made without the template engine: fifty of them took longer there than the whole page."""

from collections.abc import Iterable
from html import escape

from django.utils.safestring import SafeString

from portal.audit.details import folded
from portal.audit.models import AuditEvent
from portal.audit.rendering import came_by, sentence
from portal.audit.sentences import WAYS
from portal.templatetags.amounts import ago, clock

REFUSED = ' <span class="status red">refused</span>'


def table_rows(events: Iterable[AuditEvent]) -> SafeString:
    """A `<tr>` for each entry, with its details folded."""
    return SafeString("".join(_row(event) for event in events))


def activity_rows(events: Iterable[AuditEvent], *, auditor: bool) -> SafeString:
    """A `<tr>` for each entry, for the people of a vault: no details, and no links into the log but for auditors."""
    return SafeString("".join(_activity(event, auditor) for event in events))


def _activity(event: AuditEvent, auditor: bool) -> str:
    way = escape(WAYS.get(event.via, event.via))
    refused = REFUSED if event.refused else ""
    link = f', <a href="/audit/{event.pk}/">entry {event.pk:,}</a>' if auditor else ""
    return f"""
<tr>
  <td class="nowrap">{ago(event.at)}</td>
  <td class="happened">{sentence(event, auditor=auditor)}{refused}</td>
  <td data-label="By">{way}{link}</td>
</tr>"""


def _row(event: AuditEvent) -> str:
    refused = REFUSED if event.refused else ""
    return f"""
<tr>
  <td class="nowrap">{clock(event.at)}</td>
  <td class="happened">{sentence(event)}{refused}{folded(event)}</td>
  <td data-label="From">{escape(came_by(event))}</td>
  <td data-label="Entry" class="number"><a href="/audit/{event.pk}/">{event.pk:,}</a></td>
</tr>"""
