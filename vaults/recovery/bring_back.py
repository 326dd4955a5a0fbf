"""Bringing a machine's repository back as of an earlier time, from the trash, in both regions.

What was deleted since then returns, in the place of whatever does not match its name; what was first seen since then
goes to the trash, so that this can be undone in the same way. Times are those at which the portal saw and did it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Right
from django.utils import timezone

from portal.core.actor import SYSTEM, Actor
from portal.core.errors import Invalid, StaleState
from portal.core.times import for_people, rfc3339
from portal.events.event import happened
from vaults import copy_schedule, operations
from vaults.integrity import losses
from vaults.models import MachineRepository, Operation, Region, RemovedObject, SeenObject, Vault
from vaults.recovery import uncover
from vaults.recovery.events import BringBackAsked, BroughtBack
from vaults.regions import object_lock
from vaults.regions.provider import Memory, Step, Wait
from vaults.regions.storage import layout
from vaults.regions.storage.base import ObjectMissing, RegionStorage
from vaults.regions.storage.layout import Stored
from vaults.regions.storage.rclone import region_storage
from vaults.rules import text_problem
from vaults.states import OperationState, VaultState
from vaults.trash import removals, repositories
from vaults.trash.events import PurgeHeld

SLICE = 20  # seconds of one attempt at a step, well below an operation's lease
BATCH = 32  # objects that are read and moved at a time
LONGEST = timedelta(days=7)
HELD = "It is being brought back to an earlier time."
UNFINISHED = "It was to be brought back to an earlier time, and that did not end."
OUT = ("snapshots", "index", "data", "keys")
"""The order in which objects go: nothing is left that refers to what is gone."""
BACK = ("keys", "data", "index", "snapshots")
"""The order in which they return: nothing is there before what it refers to."""


@dataclass(frozen=True)
class _Task:
    """What an operation is to do."""

    vault: Vault
    machine: UUID
    as_of: datetime

    @classmethod
    def of(cls, operation: Operation) -> "_Task":
        about = operation.subject
        return cls(operation.vault, UUID(about["machine"]), datetime.fromisoformat(about["as_of"]))

    @property
    def regions(self) -> list[Region]:
        """The pair first: what is in its place there does not look lost or removed to whoever copies meanwhile."""
        pair = copy_schedule.region_of(self.vault)
        return [*([pair] if pair else []), self.vault.region]


def earliest(vault: Vault) -> datetime:
    """As of when a repository of the vault can be brought back at the earliest."""
    return timezone.now() - timedelta(days=vault.soft_delete_days)


def start(vault: Vault, machine_id: UUID, *, as_of: datetime, reason: str, actor: Actor) -> Operation:
    """Begin to bring the machine's repository back as of that time, as a visible operation of the vault.

    The caller has checked that the person may. Nothing of the machine's trash is purged meanwhile. Raises Invalid, and
    StaleState while there is other work on the vault, or it is not Active.
    """
    _require_valid(vault, as_of, reason)
    repositories.of_machine(vault, machine_id)
    try:
        with transaction.atomic():
            row = (
                Vault.objects.select_for_update(of=("self",)).select_related("region", "subscription").get(pk=vault.pk)
            )
            if row.state != VaultState.ACTIVE:
                raise StaleState(f"{row.name} is {row.state}.", remedy="Only an Active vault's backups come back.")
            happened(BringBackAsked(row, machine_id, as_of, reason.strip()), actor=actor)
            free = Q(held_at=None) | Q(held_reason=UNFINISHED)
            MachineRepository.objects.filter(free, pk=machine_id).update(held_at=timezone.now(), held_reason=HELD)
            subject = {"machine": str(machine_id), "as_of": rfc3339(as_of)}
            return operations.start(row, Operation.Kind.BRING_BACK, subject=subject)
    except IntegrityError as error:
        raise StaleState(
            f"Other work on {vault.name} is under way.",
            remedy="Try again when it has ended; see the vault's Dashboard.",
        ) from error


def steps(operation: Operation) -> list[Step]:
    """What the operation does; each step may be done twice, and goes on where it was cut off."""
    task, region = _Task.of(operation), operation.vault.region
    when = for_people(task.as_of)
    return [
        Step(f"Looking at what is stored in {region}", region, lambda memory: _look(task)),
        *(_uncover_in(each, task) for each in task.regions if object_lock.bucket_of(each)),
        Step(f"Setting aside what came after {when}", region, lambda memory: _set_aside(task, memory)),
        Step(f"Bringing back what was deleted after {when}", region, lambda memory: _return(task, memory)),
    ]


def _uncover_in(region: Region, task: _Task) -> Step:
    def do(memory: Memory) -> Wait | None:
        ends = time.monotonic() + SLICE
        done = uncover.bring_forward(region, task.vault, task.machine, task.as_of, memory, until=ends)
        return None if done else Wait(0, LONGEST)

    return Step(f"Bringing back what was deleted or replaced in the store of {region}", region, do)


def finish(operation: Operation, total_steps: int) -> None:
    """All is in its place: end the operation, and the hold that it began with. Raises LeaseLost."""
    task = _Task.of(operation)
    memory = operation.memory.get(operation.vault.region.slug, {})
    with transaction.atomic():
        vault = Vault.objects.select_for_update(of=("self",)).select_related("subscription").get(pk=operation.vault_id)
        operations.succeed(operation, total_steps)
        row = MachineRepository.objects.filter(pk=task.machine)
        row.update(deleted_at=timezone.now(), trash_bytes=None, look_due_at=timezone.now())
        row.filter(held_reason=HELD).update(held_at=None, held_reason="")
        counts = (memory.get(name, 0) for name in ("returned", "set_aside", "lost"))
        happened(BroughtBack(vault, task.machine, task.as_of, *counts), actor=SYSTEM)
        copy_schedule.schedule(vault.pk, task.machine)


def tell_unfinished() -> None:
    """Where the work has failed, or other work took its place, have people decide: part of what they wanted back may
    still be in the trash. Bringing back once more ends such a hold as well."""
    running = Operation.objects.filter(
        vault=OuterRef("vault"), kind=Operation.Kind.BRING_BACK, state=OperationState.RUNNING
    )
    held = MachineRepository.objects.filter(~Exists(running), held_reason=HELD)
    for row in held.select_related("vault__subscription"):
        with transaction.atomic():
            if held.filter(pk=row.pk).update(held_reason=UNFINISHED):
                happened(PurgeHeld(row.vault, row.pk, UNFINISHED), actor=SYSTEM)


def _require_valid(vault: Vault, as_of: datetime, reason: str) -> None:
    errors: dict[str, list[str]] = {}
    if problem := text_problem(reason, required=True):
        errors["reason"] = [problem]
    if not earliest(vault) <= as_of <= timezone.now():
        errors["as_of"] = [f"A time from {for_people(earliest(vault))} on, and not in the future."]
    if errors:
        raise Invalid(errors)


def _look(task: _Task) -> None:
    repositories.look(task.vault, task.machine, thoroughly=True)


def _set_aside(task: _Task, memory: Memory) -> Wait | None:
    """Move to the trash of the vault's region what was first seen since then; copying does it in the pair."""
    storage, machine = region_storage(task.vault.region), f"{task.vault.pk}/{task.machine}"
    ends = time.monotonic() + SLICE
    for kind in OUT:
        items = {item.name: item for item in layout.flat(storage, machine, kind)}
        newer = SeenObject.objects.filter(machine_id=task.machine, kind=kind, first_seen_at__gt=task.as_of)
        for name in newer.values_list("name", flat=True):
            if name not in items:
                continue
            if time.monotonic() > ends:
                return Wait(0, LONGEST)
            _take_away(task, storage, items[name])
            memory["set_aside"] = memory.get("set_aside", 0) + 1
    return None


def _take_away(task: _Task, storage: RegionStorage, item: Stored) -> None:
    values = {
        "vault": task.vault,
        "machine_id": task.machine,
        "removed_at": timezone.now(),
        "moved_at": None,
        "audited": True,  # counted by the entry of the whole
        "live_again": False,
    }
    RemovedObject.objects.update_or_create(path=item.path, defaults=values)
    removals.to_trash(storage, item.path)
    RemovedObject.objects.filter(path=item.path, moved_at=None).update(moved_at=timezone.now())


def _return(task: _Task, memory: Memory) -> Wait | None:
    """Move back what was deleted since then and seen before, batch by batch, until there is no row about any."""
    ends = time.monotonic() + SLICE
    for kind in BACK:
        while batch := list(_deleted_since(task, kind)[:BATCH]):
            if time.monotonic() > ends:
                return Wait(0, LONGEST)
            lost = _put_in_place(task, [row.path for row in batch])
            for row in batch:
                RemovedObject.objects.filter(pk=row.pk, removed_at=row.removed_at).delete()
            memory["returned"] = memory.get("returned", 0) + len(batch) - len(lost)
            memory["lost"] = memory.get("lost", 0) + len(lost)
    return None


def _deleted_since(task: _Task, kind: str) -> QuerySet[RemovedObject]:
    """Rows about objects of a kind that were there at that time. Names are the last 64 characters of paths."""
    seen = SeenObject.objects.filter(
        machine_id=task.machine, kind=kind, first_seen_at__lte=task.as_of, name=OuterRef("name")
    )
    rows = RemovedObject.objects.filter(
        machine_id=task.machine, removed_at__gt=task.as_of, purging_at=None, path__contains=f"/{kind}/"
    )
    return rows.annotate(name=Right("path", 64)).filter(Exists(seen)).order_by("pk")


def _put_in_place(task: _Task, paths: Sequence[str]) -> list[str]:
    """Have each region have the objects whole, from its trash or from the other region; those that none has."""
    # For whoever copies or mends meanwhile they are no longer removed.
    RemovedObject.objects.filter(path__in=paths).update(live_again=True)
    lacking: dict[Region, set[str]] = {}
    for region in task.regions:
        lacking[region] = uncover.from_versions(region, _restore_from_trash(region_storage(region), paths))
    here = task.vault.region
    for region in task.regions:
        if region != here and (only_there := sorted(lacking[here] - lacking[region])):
            region_storage(region).copy_to(region_storage(here), only_there)
            lacking[here] -= set(only_there)
    lost = sorted(lacking[here])
    for path in lost:
        losses.note(task.vault, here, Stored(path, 0, timezone.now()))
    losses.found_again(path for path in paths if path not in lost)
    return lost


def _restore_from_trash(storage: RegionStorage, paths: Sequence[str]) -> set[str]:
    """Move what is whole in the region's trash to where it was stored; those that the region has nowhere whole."""
    digests = storage.sha256(list(paths))
    lacking = {path for path in paths if digests.get(path) != path.rpartition("/")[2]}
    for path in sorted(lacking):
        places = removals.variants(storage, path)
        trashed = storage.sha256(places)
        whole = next((place for place in places if trashed.get(place) == path.rpartition("/")[2]), None)
        if whole is None:
            continue
        if path in digests:
            _out_of_the_way(storage, path)
        storage.move(whole, path)
        lacking = lacking - {path}
    return lacking


def _out_of_the_way(storage: RegionStorage, path: str) -> None:
    """What lies at the path is not what its name says: to the trash, under a name of its own."""
    place = f"{removals.AREA}/{path}.{timezone.now():%Y%m%dT%H%M%S%f}"
    try:
        storage.move(path, place)
    except ObjectMissing:
        return
