"""Purging: what has been in the trash for the soft-delete period is deleted for good, in both regions.

Never before a check of the machine, begun after the deletion, has missed nothing, and never while people have to decide
(holds.py). The entry in the audit log is written before anything is deleted. Where a region locks objects, what is
purged is out of reach at once, and the store frees its room when the lock ends (integrity/lock_walker.py).
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from portal.core import leases
from portal.core.actor import SYSTEM
from portal.events.event import happened
from vaults import copy_schedule
from vaults.models import MachineRepository, RemovedObject, SeenObject, Vault
from vaults.regions import object_lock
from vaults.regions.storage.base import RegionStorage, StorageError
from vaults.regions.storage.rclone import region_storage
from vaults.states import VaultState
from vaults.trash import holds, removals
from vaults.trash.events import PurgeWaits, TrashPurged

TASK = "vaults.purge_trash"
LEASE = 240  # seconds; above the longest batch
BATCH = 200  # objects that one entry of the audit log counts
LONGEST = 60  # seconds of one task
AFTER_TROUBLE = timedelta(minutes=15)
SHORTEST = timedelta(days=14)
"""No vault has a shorter soft-delete period (vaults/retention_policy/policy.py)."""

JUNK = "An object that it deleted and stored again is not what its name says; the trash has it whole."


def overdue(limit: int) -> list[UUID]:
    """Machines with something in the trash whose time is over, and that no worker is at. Tells people where it waits
    for a check."""
    now = timezone.now()
    machines = _timed_out(now).values_list("machine_id", flat=True).distinct()[:limit]
    rows = MachineRepository.objects.filter(pk__in=list(machines), held_at=None)
    for row in rows.filter(vault__state=VaultState.ACTIVE).select_related("vault__subscription"):
        if _purgeable(row, now).exists():
            MachineRepository.objects.filter(pk=row.pk, due_at=None).update(due_at=Now())
        else:
            with transaction.atomic():
                happened(PurgeWaits(row.vault, row.pk), actor=SYSTEM)
    due = MachineRepository.objects.filter(MachineRepository.unclaimed())
    return list(due.order_by("due_at").values_list("pk", flat=True)[:limit])


def run(machine_id: UUID) -> None:
    """Purge what may go of the machine's trash, as much as one task has time for."""
    row = MachineRepository.objects.filter(pk=machine_id).first()
    claimed = row if row is not None and row.claim(LEASE) else None
    leases.run(claimed, _purge, trouble=StorageError, on_trouble=_again_later)


def _purge(row: MachineRepository) -> None:
    """Batches, until nothing is left or the time is over. Raises StorageError, LeaseLost."""
    ends = time.monotonic() + LONGEST
    vault = Vault.objects.select_related("region", "subscription").get(pk=row.vault_id)
    storages = [region_storage(vault.region)]
    if pair := copy_schedule.region_of(vault):
        storages.append(region_storage(pair))
    while batch := _whole_without(row, storages[0], _take(row, vault)):
        for storage in storages:
            row.extend(LEASE)
            _delete(storage, [removed.path for removed in batch])
        _forget(row.pk, batch)
        MachineRepository.objects.filter(pk=row.pk).update(trash_bytes=None, look_due_at=Now())  # it is measured anew
        if time.monotonic() > ends:
            row.save_held(release=True, due_at=Now(), attempts=0)
            return
    row.save_held(release=True, due_at=None, attempts=0)


def _take(row: MachineRepository, vault: Vault) -> list[RemovedObject]:
    """The next objects that go: marked, and entered in the audit log, before anything is deleted.

    What was marked and not finished comes first. Nothing while the purge is held: the row is locked, as by whoever
    holds it.
    """
    with transaction.atomic():
        now = MachineRepository.objects.select_for_update(no_key=True).get(pk=row.pk)
        if now.held_at is not None:
            return []
        begun = list(RemovedObject.objects.filter(machine_id=row.pk).exclude(purging_at=None)[:BATCH])
        if begun:
            return begun
        found = list(_purgeable(now, timezone.now()).order_by("removed_at", "pk")[:BATCH])
        if found:
            RemovedObject.objects.filter(pk__in=[each.pk for each in found]).update(purging_at=timezone.now())
            regions = [vault.region, copy_schedule.region_of(vault)]
            locked = tuple(str(region) for region in regions if region and object_lock.locks(region))
            happened(TrashPurged(vault, row.pk, len(found), _bytes(row.pk, found), locked), actor=SYSTEM)
        return found


def _timed_out(at: datetime) -> QuerySet[RemovedObject]:
    """What has been in the trash for the soft-delete period of its vault, or was begun to be purged."""
    old = RemovedObject.objects.filter(removed_at__lt=at - SHORTEST)  # by an index
    over = Q(purging_at__isnull=False)
    for days in Vault.objects.values_list("soft_delete_days", flat=True).order_by().distinct():
        over |= Q(vault__soft_delete_days=days, removed_at__lt=at - timedelta(days=days))
    return old.filter(over)


def _purgeable(row: MachineRepository, at: datetime) -> QuerySet[RemovedObject]:
    """What of the machine's may go now: a check that began after it was deleted has missed nothing."""
    timed_out = _timed_out(at).filter(machine_id=row.pk).exclude(moved_at=None)
    if row.whole_as_of is None:
        return timed_out.exclude(purging_at=None)
    return timed_out.filter(Q(removed_at__lt=row.whole_as_of, moved_at__lt=row.whole_as_of) | ~Q(purging_at=None))


def _whole_without(row: MachineRepository, storage: RegionStorage, batch: list[RemovedObject]) -> list[RemovedObject]:
    """The objects that nothing needs. Of one that was stored again, what is in the trash is kept, and the purge held,
    unless what was stored is what its name says. Raises StorageError."""
    again = [removed for removed in batch if removed.live_again]
    digests = storage.sha256([removed.path for removed in again])
    broken = [removed for removed in again if digests.get(removed.path) != removed.path.rpartition("/")[2]]
    if not broken:
        return batch
    with transaction.atomic():
        vault = Vault.objects.select_related("subscription").get(pk=row.vault_id)
        RemovedObject.objects.filter(pk__in=[removed.pk for removed in broken]).update(purging_at=None)
        holds.hold(vault, row.pk, JUNK, at=timezone.now(), actor=SYSTEM)
    return [removed for removed in batch if removed not in broken]


def _delete(storage: RegionStorage, paths: Sequence[str]) -> None:
    """Delete what lay at these paths from the region's trash, whatever date it got there. Raises StorageError."""
    for path in paths:
        for place in removals.variants(storage, path):
            storage.delete(place)


def _forget(machine_id: UUID, batch: Sequence[RemovedObject]) -> None:
    """Drop the rows of what is gone. An object that was stored again keeps the time at which it was first seen."""
    with transaction.atomic():
        for removed in batch:
            same = RemovedObject.objects.filter(pk=removed.pk, removed_at=removed.removed_at)
            gone = same.filter(live_again=False).delete()[0]
            if gone:
                kind, name = removed.path.split("/")[2], removed.path.rpartition("/")[2]
                SeenObject.objects.filter(machine_id=machine_id, kind=kind, name=name).delete()
            else:
                same.delete()


def _bytes(machine_id: UUID, batch: Sequence[RemovedObject]) -> int:
    names = [removed.path.rpartition("/")[2] for removed in batch]
    return sum(SeenObject.objects.filter(machine_id=machine_id, name__in=names).values_list("size", flat=True))


def _again_later(row: MachineRepository, _: StorageError) -> None:
    row.save_held(release=True, due_at=Now() + AFTER_TROUBLE)
