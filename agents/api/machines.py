"""Machines as people and their scripts see them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from ninja import Query, Router, Schema
from pydantic import Field

from agents.machines import revoke as lock_out
from agents.models import Machine
from agents.queries import machine_seen_by, machines_of
from portal.api.problems import refuses
from portal.api.schemas import Body, PageOut, Text, Window, listed
from portal.core.errors import StaleState
from portal.core.http import ApiRequest
from portal.core.paging import page_of
from vaults.queries import vault_seen_by

router = Router()


class MachineOut(Schema):
    """A machine that is or was registered with a vault."""

    id: UUID
    name: str
    vault_id: UUID
    state: Literal["Registered", "Ready", "Suspended", "Revoked", "Unregistered"]
    state_reason: str
    platform: dict[str, str]
    agent_version: str
    registered_at: datetime
    replaced_at: datetime | None
    last_seen_at: datetime | None
    last_backup_at: datetime | None
    last_restore_check_at: datetime | None
    backup_every_hours: int | None = Field(
        description="How often its schedule promises a backup; null without a schedule."
    )
    late_from: datetime | None = Field(
        description="From when on it counts as late if no backup comes; null without a schedule."
    )
    attention: str = Field(description="Why it needs attention, in two or three words; empty if it does not.")


class Shown(Window):
    """Which part of a vault's machines somebody wants."""

    show: Literal["registered", "attention", "left"] = Field(
        "registered",
        description=(
            "`registered`: all machines that the vault has. `attention`: those of them that need "
            "attention. `left`: those that have unregistered."
        ),
    )


class RevokeIn(Body):
    """Why a machine is locked out."""

    reason: Text = Field(min_length=1, max_length=500)


@router.get("/vaults/{uuid:vault_id}/machines", response=PageOut[MachineOut], summary="Machines of a vault, by name")
def machines(request: ApiRequest, vault_id: UUID, wanted: Query[Shown]) -> dict[str, object]:
    """Those that are registered, whatever their state; with `show=left` those that have left, whose backups stay."""
    vault = vault_seen_by(request.auth, vault_id)
    rows = machines_of(vault.pk, "" if wanted.show == "registered" else wanted.show)
    return listed(page_of(rows, "name_key", "id", after=wanted.after, limit=wanted.limit), _shown)


@router.get("/machines/{uuid:machine_id}", response=MachineOut, summary="One machine")
def one_machine(request: ApiRequest, machine_id: UUID) -> dict[str, object]:
    """What is known of it."""
    return _shown(machine_seen_by(request.auth, machine_id))


@router.post(
    "/machines/{uuid:machine_id}/revoke",
    response=MachineOut,
    summary="Revoke a machine",
    openapi_extra=refuses(StaleState),
)
def revoke(request: ApiRequest, machine_id: UUID, body: RevokeIn) -> dict[str, object]:
    """At once: its next request to storage is refused. Its backups stay."""
    lock_out(machine_id, actor=request.auth, reason=body.reason)
    return _shown(machine_seen_by(request.auth, machine_id))


def _shown(machine: Machine) -> dict[str, object]:
    known = {name: getattr(machine, name) for name in MachineOut.model_fields if name != "attention"}
    return known | {"attention": machine.attention.label if machine.attention else ""}
