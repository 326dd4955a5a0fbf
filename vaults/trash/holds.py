"""Holds: nothing of a machine's trash is purged while people have to decide about what it deleted.

A retain announces itself (agents/storage_access/retaining.py): then the snapshots on its list may go, and packs, as
long as they are no unusual share of what was stored. Whatever else a machine deletes, perhaps with a stolen key, goes
to the trash as well, and holds the purge of all of it.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from portal.core.actor import Actor
from portal.core.errors import Invalid, StaleState
from portal.events.event import happened
from vaults.models import MachineRepository, SeenObject, Vault
from vaults.queries import vault_worked_on_by
from vaults.rules import text_problem
from vaults.trash.events import PurgeHeld, PurgeReleased

UNUSUAL_SHARE = 2
"""A retain that deletes more than one part in so many of what was stored when it began is unusual."""


def note_deletion(vault: Vault, machine_id: UUID, kind: str, name: str, *, at: datetime, actor: Actor) -> None:
    """Note that the machine deletes this object, and hold the purge unless it was to be expected; its row is locked
    then. Index objects may always go.

    In the transaction that notes the removal.
    """
    MachineRepository.objects.get_or_create(machine_id=machine_id, defaults={"vault": vault})
    row = MachineRepository.objects.select_for_update(no_key=True).get(pk=machine_id)
    if kind == "index":
        return
    row.deleted_at = at
    reason = _unexpected(row, kind, name, at)
    row.save(update_fields=["deleted_at", "retain_removed_bytes"])
    if reason and row.held_at is None:
        hold(vault, machine_id, reason, at=at, actor=actor)


def hold(vault: Vault, machine_id: UUID, reason: str, *, at: datetime, actor: Actor) -> None:
    """Purge nothing of the machine's trash until `release`; audited and told, once. In a transaction."""
    held = MachineRepository.objects.filter(pk=machine_id, held_at=None).update(held_at=at, held_reason=reason)
    if held:
        happened(PurgeHeld(vault, machine_id, reason), actor=actor)


def release(vault_id: UUID, machine_id: UUID, reason: str, *, actor: Actor) -> None:
    """What the machine deleted may be purged when its time comes: somebody of the vault has looked at it.

    Raises NotFound, NotAllowed, Invalid, and StaleState where nothing is held.
    """
    vault = vault_worked_on_by(actor, vault_id)
    if problem := text_problem(reason, required=True):
        raise Invalid({"reason": [problem]})
    with transaction.atomic():
        held = MachineRepository.objects.filter(pk=machine_id, vault=vault).exclude(held_at=None)
        if not held.update(held_at=None, held_reason=""):
            raise StaleState("Nothing is held: somebody else has decided already.")
        happened(PurgeReleased(vault, machine_id, reason.strip()), actor=actor)


def _unexpected(row: MachineRepository, kind: str, name: str, at: datetime) -> str:
    """Why people have to look at the deletion; empty when it was announced. Counts it."""
    announced = row.retain_ends_at is not None and at <= row.retain_ends_at
    if not announced:
        what = "a snapshot" if kind == "snapshots" else "backup data"
        return f"It deleted {what} although no retain was announced."
    if kind == "snapshots":
        return "" if name in row.retain_snapshots else "It deleted a snapshot that was not on the list of the retain."
    size = SeenObject.objects.filter(machine_id=row.pk, kind=kind, name=name).values_list("size", flat=True).first()
    row.retain_removed_bytes += size or 0
    if row.live_bytes is not None and row.retain_removed_bytes * UNUSUAL_SHARE > row.live_bytes:
        return "A retain deleted more than half of what was stored."
    return ""
