"""Removals: what a machine deletes of its own repository with leave moves to the region's trash.

Index objects may go at any age: they can be derived again from packs. Snapshots and packs only when the portal first
saw them longer ago than the vault's minimum retention; what it has never seen is young. Keys and `config` never go.
The gateway stays append-only; the edge sends such a request to the web. The row is noted first and says so to everybody
who brings lost objects back from the other region (integrity/repair.py); the copy in the pair follows with the next
round. What goes without an announced `retain` holds the purge (holds.py). Snapshots go the same way when an
administrator sends them (recovery/snapshot_trash.py).
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max, Min
from django.utils import timezone

from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import SYSTEM, Actor
from portal.core.admission import Admission
from portal.core.errors import NotAllowed, Throttled
from portal.templatetags.amounts import plural
from vaults import copy_schedule
from vaults.models import RemovalCount, RemovedObject, SeenObject, Vault
from vaults.regions.storage.base import ObjectMissing, RegionStorage
from vaults.regions.storage.rclone import region_storage
from vaults.trash import holds

AREA = "trash"
ENTRY_EVERY = timedelta(hours=1)
"""A machine's removals of a kind within so long of the first are counted in one audit entry."""
MOST_IN_A_DAY = 100_000
"""Of one machine, from midnight to midnight (UTC): the packs of 1.6 TB at restic's usual size of 16 MiB."""
turns = Admission(2, "Too many objects are being removed at the moment.")
"""Each takes a thread of the web until the storage has answered; some are left for everybody else."""
UNSETTLED = timedelta(minutes=10)
"""Longer than a move takes: what was to be removed before that has been, or never will be."""
REMOVABLE = frozenset({"data", "index", "snapshots"})


class TooYoung(NotAllowed):
    """The object was first seen within the vault's minimum retention, or never."""

    code = "retention"


def remove(vault: Vault, machine_id: UUID, kind: str, name: str, *, actor: Actor) -> None:
    """Move the machine's object (a kind of REMOVABLE) to the trash of the vault's region; harmless when it is there.

    1. Note the removal, with its audit entry (the first of an hour) and the hold, if any, in the same transaction.
    2. Move the object. Whoever is killed here, or finds the storage away, leaves it where it was, or moved and noted.
    3. Note that it has moved.

    The caller has checked that the machine may. Raises ObjectMissing, TooYoung, Throttled, Busy, and any other
    StorageError.
    """
    with turns():
        _remove(vault, machine_id, kind, name, actor)


def _remove(vault: Vault, machine_id: UUID, kind: str, name: str, actor: Actor) -> None:
    storage, path = region_storage(vault.region), object_path(vault, machine_id, kind, name)
    if storage.entry(path) is None:
        if not _moved(path):  # else an answer was lost on its way
            raise ObjectMissing(f"{vault.region} does not have {path}.")
        return
    if kind != "index":
        _require_old(vault, machine_id, kind, name)
    _intend(vault, machine_id, path, actor)
    try:
        to_trash(storage, path)
    except ObjectMissing:  # another request for the same was faster
        if storage.entry(path) is not None:
            raise
    _moved(path)
    copy_schedule.schedule(vault.pk)


def object_path(vault: Vault, machine_id: UUID, kind: str, name: str) -> str:
    """Where the object lies, in the region and in its pair: restic's layout has packs in folders of their own."""
    place = f"{name[:2]}/{name}" if kind == "data" else name
    return f"{vault.pk}/{machine_id}/{kind}/{place}"


def _require_old(vault: Vault, machine_id: UUID, kind: str, name: str) -> None:
    least = timedelta(days=vault.minimum_retention_days)
    seen = SeenObject.objects.filter(machine_id=machine_id, kind=kind, name=name)
    if not seen.filter(first_seen_at__lt=timezone.now() - least).exists():
        raise TooYoung(
            f"Nothing that was stored within the last {plural(least.days, 'day')} can be deleted.",
            remedy="The minimum retention stands on the vault's Configure tab.",
        )


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


def variants(storage: RegionStorage, path: str) -> list[str]:
    """Where the region's trash has what lay at the path: mostly one place, oldest first. Raises StorageError."""
    folder, _, name = path.rpartition("/")
    found = [each.name for each in storage.entries(f"{AREA}/{folder}") if not each.is_folder]
    return sorted(f"{AREA}/{folder}/{each}" for each in found if stored_name(each) == name)


def stored_name(trashed: str) -> str:
    """The name under which an object in the trash was stored: there it may have got a date behind it."""
    return trashed.partition(".")[0]


def size(storage: RegionStorage, machine: str) -> int:
    """How many bytes the machine, given by the path of its folder, has in the region's trash. Raises StorageError."""
    return sum(entry.size for entry in storage.tree(f"{AREA}/{machine}"))


@dataclass(frozen=True)
class Removed:
    """What a copy round has to know of a removal."""

    pk: int
    moved_at: datetime | None


def of_machine(vault: Vault, machine_id: str) -> dict[str, Removed]:
    """The machine's removals by path, after those that were cut off are settled. Raises StorageError.

    Read it *before* a listing of the vault's region: what is both here as moved and in the listing was stored again.
    Columns alone, since a machine may have removed some ten thousand objects within the soft-delete period.
    """
    rows = RemovedObject.objects.filter(vault=vault, machine_id=machine_id, live_again=False)
    cut_off = list(rows.filter(moved_at=None, removed_at__lt=timezone.now() - UNSETTLED))
    storage = region_storage(vault.region)
    trashed: set[str] = set()
    for folder in {row.path.rpartition("/")[0] for row in cut_off}:
        trashed.update(f"{folder}/{stored_name(entry.name)}" for entry in storage.entries(f"{AREA}/{folder}"))
    for row in cut_off:
        _settle(row, moved=row.path in trashed)
    found = rows.values_list("path", "pk", "moved_at").iterator()
    return {path: Removed(pk, moved_at) for path, pk, moved_at in found}


def stored_again(rows: Mapping[str, Removed], present: Set[str]) -> None:
    """Note which objects the machine has stored again since. `rows` were read before `present`."""
    for path in rows.keys() & present:
        row = rows[path]
        if row.moved_at is not None:  # on condition that it was not removed once more
            RemovedObject.objects.filter(pk=row.pk, moved_at=row.moved_at).update(live_again=True)


def removed_among(paths: list[str]) -> set[str]:
    """Which of the paths are of objects that were removed, or are about to be."""
    rows = RemovedObject.objects.filter(path__in=paths, live_again=False)
    return set(rows.values_list("path", flat=True))


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
    kind, name = path.split("/")[2], path.rpartition("/")[2]
    with transaction.atomic():
        _count(machine_id, now.date())
        holds.note_deletion(vault, machine_id, kind, name, at=now, actor=actor)
        # Under the lock of the row above, which the purge takes too: what is in the trash by this name is about to go,
        # so what is deleted now could not rely on it.
        if RemovedObject.objects.filter(path=path).exclude(purging_at=None).exists():
            raise Throttled("What was deleted by this name before is being purged. Try again.", retry_after=60)
        of_late = RemovedObject.objects.filter(machine_id=machine_id, path__contains=f"/{kind}/")
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
                "live_again": False,
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
    rows = RemovedObject.objects.filter(path=path, live_again=False)
    return bool(rows.filter(moved_at__isnull=True).update(moved_at=timezone.now())) or rows.exists()


def _settle(row: RemovedObject, *, moved: bool) -> None:
    """A removal that was cut off: whether it has `moved` the object, as the trash says; no-op if it was tried anew."""
    same = RemovedObject.objects.filter(pk=row.pk, removed_at=row.removed_at, moved_at__isnull=True)
    if moved:
        same.update(moved_at=timezone.now())
    else:
        same.delete()
