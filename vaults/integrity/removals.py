"""Removals: what a machine deletes of its own repository with leave moves to the region's trash.

Only index objects, which `restic repair index` replaces: they can be derived again from packs. The gateway stays
append-only; the edge sends such a request to the web. The row is noted first and says so to everybody who brings lost
objects back from the other region (repair.py); the copy in the pair follows with the next round. Snapshots go the same
way when an administrator sends them (snapshot_trash.py).
"""

from datetime import date, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max, Min
from django.utils import timezone

from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import SYSTEM, Actor
from portal.core.admission import Admission
from portal.core.errors import Throttled
from vaults import copy_schedule
from vaults.models import RemovalCount, RemovedObject, Vault
from vaults.regions.storage.base import ObjectMissing, RegionStorage
from vaults.regions.storage.rclone import region_storage

AREA = "trash"
ENTRY_EVERY = timedelta(hours=1)
"""A machine's removals within so long of the first are counted in one audit entry."""
MOST_IN_A_DAY = 20_000
"""Of one machine, from midnight to midnight (UTC); a repository of 100 TB has about so many index objects."""
turns = Admission(2, "Too many objects are being removed at the moment.")
"""Each takes a thread of the web until the storage has answered; some are left for everybody else."""
UNSETTLED = timedelta(minutes=10)
"""Longer than a move takes: what was to be removed before that has been, or never will be."""


def remove_index(vault: Vault, machine_id: UUID, name: str, *, actor: Actor) -> None:
    """Move the machine's index object to the trash of the vault's region; harmless when that has happened already.

    1. Note the removal, with its audit entry (the first of an hour) in the same transaction.
    2. Move the object. Whoever is killed here, or finds the storage away, leaves it where it was, or moved and noted.
    3. Note that it has moved.

    The caller has checked that the machine may. Raises ObjectMissing, Throttled, Busy, and any other StorageError.
    """
    with turns():
        _remove_index(vault, machine_id, name, actor)


def _remove_index(vault: Vault, machine_id: UUID, name: str, actor: Actor) -> None:
    storage = region_storage(vault.region)
    path = f"{vault.pk}/{machine_id}/index/{name}"
    if storage.entry(path) is None:
        if not _moved(path):  # else an answer was lost on its way
            raise ObjectMissing(f"{vault.region} does not have {path}.")
        return
    _intend(vault, machine_id, path, actor)
    try:
        to_trash(storage, path)
    except ObjectMissing:  # another request for the same was faster
        if storage.entry(path) is not None:
            raise
    _moved(path)
    copy_schedule.schedule(vault.pk)


def to_trash(storage: RegionStorage, path: str) -> None:
    """Move an object to the region's trash, where nothing is ever replaced. Raises StorageError.

    One that is in there already, whole, is not kept twice: else storing and removing it in turn would fill the region.
    """
    place = f"{AREA}/{path}"
    if storage.entry(place) is not None:
        if storage.sha256([place]).get(place) == path.rpartition("/")[2]:
            storage.delete(path)
            return
        place = f"{place}.{timezone.now():%Y%m%dT%H%M%S%f}"
    storage.move(path, place)


def stored_name(trashed: str) -> str:
    """The name under which an object in the trash was stored: there it may have got a date behind it."""
    return trashed.partition(".")[0]


def size(storage: RegionStorage, machine: str) -> int:
    """How many bytes the machine, given by the path of its folder, has in the region's trash. Raises StorageError."""
    return sum(entry.size for entry in storage.tree(f"{AREA}/{machine}"))


def of_machine(vault: Vault, machine_id: str) -> dict[str, RemovedObject]:
    """The machine's removals by path, after those that were cut off are settled. Raises StorageError.

    Read it *before* a listing of the vault's region: what is both here as moved and in the listing was stored again.
    """
    rows = list(RemovedObject.objects.filter(vault=vault, machine_id=machine_id))
    cut_off = [row for row in rows if row.moved_at is None and row.removed_at < timezone.now() - UNSETTLED]
    storage = region_storage(vault.region)
    trashed: set[str] = set()
    for folder in {row.path.rpartition("/")[0] for row in cut_off}:
        trashed.update(f"{folder}/{stored_name(entry.name)}" for entry in storage.entries(f"{AREA}/{folder}"))
    for row in cut_off:
        _settle(row, moved=row.path in trashed)
    return {row.path: row for row in rows if row.pk is not None}


def stored_again(rows: dict[str, RemovedObject], present: frozenset[str]) -> None:
    """Forget removals of objects that the machine has stored again since. `rows` were read before `present`."""
    for path in rows.keys() & present:
        row = rows[path]
        if row.moved_at is not None:  # on condition that it was not removed once more
            RemovedObject.objects.filter(pk=row.pk, moved_at=row.moved_at).delete()


def removed_among(paths: list[str]) -> set[str]:
    """Which of the paths are of objects that were removed, or are about to be."""
    return set(RemovedObject.objects.filter(path__in=paths).values_list("path", flat=True))


def write_counts() -> None:
    """Write an audit entry for each machine whose further removals of the last hour have not been counted yet."""
    waiting = RemovedObject.objects.filter(audited=False, moved_at__isnull=False)
    due = waiting.values("vault_id", "machine_id").annotate(first=Min("removed_at"))
    for row in due.filter(first__lt=timezone.now() - ENTRY_EVERY)[:100]:
        _write_count(row["vault_id"], row["machine_id"])


def _write_count(vault_id: UUID, machine_id: UUID) -> None:
    with transaction.atomic():
        rows = RemovedObject.objects.filter(vault_id=vault_id, machine_id=machine_id, audited=False)
        counted = rows.filter(moved_at__isnull=False).aggregate(first=Min("removed_at"), last=Max("removed_at"))
        if counted["first"] is None:
            return  # another worker was faster
        count = rows.filter(moved_at__isnull=False, removed_at__lte=counted["last"]).update(audited=True)
        detail = {
            "machine": str(machine_id),
            "more_objects": count,
            "from": counted["first"].isoformat(),
            "to": counted["last"].isoformat(),
        }
        record(Action.OBJECT_REMOVE, actor=SYSTEM, target=Vault.objects.get(pk=vault_id), detail=detail)


def _intend(vault: Vault, machine_id: UUID, path: str, actor: Actor) -> None:
    now = timezone.now()
    with transaction.atomic():
        _count(machine_id, now.date())
        of_late = RemovedObject.objects.filter(machine_id=machine_id, path__contains="/index/")
        counted = of_late.filter(removed_at__gt=now - ENTRY_EVERY, audited=True).exists()
        # Removed again and again, it keeps its mark: else the entry of the hour would be forgotten, and written anew.
        audited = not counted or of_late.filter(path=path, audited=True).exists()
        RemovedObject.objects.update_or_create(
            path=path,
            defaults={
                "vault": vault,
                "machine_id": machine_id,
                "removed_at": now,
                "moved_at": None,
                "audited": audited,
            },
        )
        if not counted:
            detail = {"region": vault.region.slug, "object": path, "moved_to": f"{AREA}/{path}"}
            record(Action.OBJECT_REMOVE, actor=actor, target=vault, detail=detail)


def _count(machine_id: UUID, day: date) -> None:
    """One more of today; raises Throttled when there have been MOST_IN_A_DAY."""
    counts = RemovalCount.objects.filter(machine_id=machine_id)
    counts.filter(day__lt=day).update(day=day, count=0)  # first, since rows of earlier days may go: vaults/retention.py
    RemovalCount.objects.get_or_create(machine_id=machine_id, defaults={"day": day, "count": 0})
    if not counts.filter(count__lt=MOST_IN_A_DAY).update(count=F("count") + 1):
        raise Throttled(f"This machine has removed {MOST_IN_A_DAY} objects today. Go on tomorrow.", retry_after=3600)


def _moved(path: str) -> bool:
    """Note that the object has moved; whether there is such a removal."""
    rows = RemovedObject.objects.filter(path=path)
    return bool(rows.filter(moved_at__isnull=True).update(moved_at=timezone.now())) or rows.exists()


def _settle(row: RemovedObject, *, moved: bool) -> None:
    """A removal that was cut off: whether it has `moved` the object, as the trash says; not if it was tried anew since.

    A row that is no more has no key.
    """
    same = RemovedObject.objects.filter(pk=row.pk, removed_at=row.removed_at, moved_at__isnull=True)
    if moved:
        same.update(moved_at=timezone.now())
        row.refresh_from_db()
    elif same.delete()[0]:
        row.pk = None
