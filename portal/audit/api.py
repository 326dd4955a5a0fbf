"""The audit log as JSON, for auditors."""

from datetime import date
from uuid import UUID

from ninja import Query, Router, Schema
from pydantic import Field

from portal.api.schemas import PageOut, PageQuery, Text, listed
from portal.audit import access_log
from portal.audit.models import AuditEvent
from portal.audit.queries import Filter, events, require_auditor
from portal.core.http import ApiRequest
from portal.core.paging import page_of
from portal.core.times import rfc3339

router = Router()


class Target(Schema):
    """What the entry is about; its label as it was then."""

    type: str
    id: str
    label: str


class EventOut(Schema):
    """One entry."""

    id: int
    at: str
    actor: str
    via: str
    address: str
    action: str
    refused: bool
    target: Target | None
    vault_id: UUID | None
    detail: dict[str, object]


class FilterIn(Schema):
    """Which entries; days are in UTC and both included."""

    person: Text = Field("", max_length=200)
    action: Text = Field("", max_length=64)
    vault: UUID | None = None
    machine: UUID | None = None
    credential: Text = Field("", max_length=40, description="The serial number, or its first digits.")
    since: date | None = Field(None, alias="from")
    until: date | None = Field(None, alias="to")
    refused: bool = False


Asked = Query[FilterIn]


@router.get("/audit-events", response=PageOut[EventOut], summary="The audit log, newest first")
def audit_events(request: ApiRequest, asked: Asked, wanted: PageQuery) -> dict[str, object]:
    """Auditors only. That you read it is noted."""
    require_auditor(request.auth)
    chosen = Filter(
        person=asked.person,
        action=asked.action,
        vaults=None if asked.vault is None else (asked.vault,),
        machines=None if asked.machine is None else (asked.machine,),
        credential=asked.credential,
        since=asked.since,
        until=asked.until,
        refused=asked.refused,
    )
    access_log.note(request.auth, chosen)
    return listed(page_of(events(chosen), "-id", after=wanted.after, limit=wanted.limit), _out)


def _out(event: AuditEvent) -> dict[str, object]:
    target = {"type": event.target_type, "id": event.target_id, "label": event.target_label}
    return {
        "id": event.pk,
        "at": rfc3339(event.at),
        "actor": event.actor_label,
        "via": event.via,
        "address": event.address,
        "action": event.action,
        "refused": event.refused,
        "target": target if event.target_type else None,
        "vault_id": event.vault_id,
        "detail": event.detail,
    }
