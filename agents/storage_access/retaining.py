"""Which of a machine's snapshots go by its vault's policy, and the announcement that they are going to.

The list is made here, from the times at which the portal first saw the snapshots; the machine, which alone has the
passphrase, deletes them. For a day after the announcement that is expected of it (vaults/trash/holds.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from agents.models import Machine
from agents.monitoring import heartbeats
from agents.protocol import authentication, entitlement, errors, messages
from agents.protocol.messages import RetainQuestion
from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.errors import Unavailable
from vaults.models import MachineRepository, SeenObject
from vaults.regions.storage import layout
from vaults.regions.storage.base import StorageError
from vaults.regions.storage.rclone import region_storage
from vaults.retention_policy import buckets
from vaults.retention_policy.buckets import Selection
from vaults.retention_policy.policy import RetentionPolicy
from vaults.trash import repositories

LASTS = timedelta(days=1)
MOST = 1000
"""Snapshots that one retain deletes, the oldest first; the rest go with the next."""


@dataclass(frozen=True)
class RetainAnswer:
    """What the machine is told: the snapshots that go, how many stay, by which policy, and until when it may."""

    forget: list[str]
    keep: int
    policy: RetentionPolicy
    until: datetime | None
    at_quota: bool


def announce(body: bytes, *, address: str) -> RetainAnswer:
    """The list of what goes, announced unless the machine only asks. Raises NotAllowed, ClockSkew, Invalid, Throttled,
    and Unavailable when the storage does not answer."""
    now = timezone.now()
    sender = authentication.sender_of(body, what="retain", address=address, at=now)
    machine = sender.machine
    entitlement.require_machine(machine, machine.vault)
    entitlement.require_current(sender.certificate, now)
    question = messages.parse(RetainQuestion, sender.signed.fields)
    try:
        repositories.look(machine.vault, machine.pk)
        selection = _select(machine, now)
    except StorageError as error:
        raise Unavailable(f"{error} So it cannot be told what goes.", remedy="Try again later.") from error
    forget, until = selection.forget[:MOST], None if question.dry_run else now + LASTS
    with transaction.atomic():
        heartbeats.note(machine, at=now)
        authentication.spend(sender.signed, at=now, refuse=errors.not_entitled)
        if until:
            MachineRepository.objects.filter(pk=machine.pk).update(
                retain_began_at=now, retain_ends_at=until, retain_snapshots=forget, retain_removed_bytes=0
            )
            detail = {"snapshots": len(forget), "kept": len(selection.keep), "ids": [name[:16] for name in forget]}
            record(Action.RETAIN_ANNOUNCE, actor=sender.actor, target=machine, detail=detail)
    policy = RetentionPolicy.of(machine.vault)
    return RetainAnswer(forget, len(selection.keep), policy, until, _at_quota(machine))


def snapshots_seen(machine: Machine) -> Mapping[str, datetime]:
    """The snapshots that are stored now, with when the portal first saw each. Raises StorageError."""
    storage = region_storage(machine.vault.region)
    stored = [item.name for item in layout.flat(storage, f"{machine.vault_id}/{machine.pk}", "snapshots")]
    rows = SeenObject.objects.filter(machine_id=machine.pk, kind="snapshots", name__in=stored)
    return dict(rows.values_list("name", "first_seen_at"))


def _select(machine: Machine, at: datetime) -> Selection:
    return buckets.select(snapshots_seen(machine), RetentionPolicy.of(machine.vault), at=at)


def _at_quota(machine: Machine) -> bool:
    vault, region = machine.vault, machine.vault.region
    of_vault = entitlement.quota_reached(vault.used_bytes, region.vault_quota_bytes)
    return of_vault or entitlement.quota_reached(machine.used_bytes, region.machine_quota_bytes)
