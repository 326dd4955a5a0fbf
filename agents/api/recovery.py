"""Bringing a machine's stored backups back as of an earlier time, as people and their scripts do."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from ninja import Router, Schema, Status
from pydantic import Field, Strict

from agents import stored_backups
from portal.api.problems import refuses
from portal.api.schemas import Body, Text
from portal.core.errors import StaleState
from portal.core.http import ApiRequest

router = Router()
BY_API = "By API."


class BringBackIn(Body):
    """As of when, and why."""

    as_of: Annotated[datetime, Strict(False)] = Field(description="RFC 3339; UTC when it has no offset.")
    reason: Text = Field(BY_API, min_length=1, max_length=2000, description="Recorded in the audit log.")


class BringBackOut(Schema):
    """The work that has begun; it is on the vault's Dashboard."""

    id: UUID
    machine_id: UUID
    vault_id: UUID
    state: Literal["running"]
    as_of: datetime
    started_at: datetime


@router.post(
    "/machines/{uuid:machine_id}/bring-back",
    response={202: BringBackOut},
    summary="Bring a machine's backups back as of a time",
    openapi_extra=refuses(StaleState),
)
def bring_back(request: ApiRequest, machine_id: UUID, body: BringBackIn) -> Status[dict[str, object]]:
    """What was deleted since then returns, and what came since then is set aside; within the soft-delete period, for
    members of the vault."""
    as_of = body.as_of if body.as_of.tzinfo else body.as_of.replace(tzinfo=UTC)
    begun = stored_backups.bring_back(machine_id, actor=request.auth, as_of=as_of, reason=body.reason)
    return Status(
        202,
        {
            "id": begun.pk,
            "machine_id": machine_id,
            "vault_id": begun.vault_id,
            "state": begun.state,
            "as_of": as_of,
            "started_at": begun.started_at,
        },
    )
