"""Walks over regions with object lock: which are due, how far each one is, and which are late.

The row says all; `vaults.integrity.lock_walker` does the walking.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from portal.core.actor import SYSTEM
from portal.events.event import happened
from portal.health import heartbeats
from vaults.integrity.lock_events import LocksExtended, LocksLate, LocksOnTime, ObjectsHidden, ObjectsShown
from vaults.models import LockWalk, Region, Vault
from vaults.regions import object_lock

TASK = "vaults.extend_locks"
LEASE = 240  # seconds; above the longest page of versions
EVERY = timedelta(days=1)
AFTER_TROUBLE = timedelta(minutes=5)
LATE = timedelta(days=3)
"""A walk that has been under way for so long is told of: two thirds of the locks' time are left, less these days."""
COUNTS = ("versions_seen", "locks_extended", "versions_erased", "bytes_erased", "bytes_waiting")


def overdue() -> list[int]:
    """Walks that are due and that no worker holds; each region with object lock has one, also one that is closed.

    Forgets those of regions that have no object lock any more.
    """
    locked = [region for region in Region.objects.select_related("lock_walk") if object_lock.locks(region)]
    for region in locked:
        LockWalk.objects.get_or_create(region=region, defaults={"due_at": Now()})
    for walk in LockWalk.objects.exclude(region__in=locked).select_related("region"):
        _forget(walk)
    due = LockWalk.objects.filter(LockWalk.unclaimed(), region__in=locked)
    return list(due.values_list("pk", flat=True))


def claim(walk_id: int) -> LockWalk | None:
    """Take the walk, at its beginning or where it was left; None when it is not due, or is held by another."""
    walk = LockWalk.objects.select_related("region").filter(pk=walk_id).first()
    if walk is None or not object_lock.locks(walk.region) or not walk.claim(LEASE):
        return None
    if walk.began_at is None:
        anew: dict[str, Any] = {**dict.fromkeys(COUNTS, 0), "hidden_before": walk.hidden, "hidden": {}}
        walk.save_held(done_to="", done_to_version="", **anew)
    walk.save_held(began_at=Coalesce("began_at", Now()))
    walk.refresh_from_db(fields=["began_at"])
    return walk


def save_progress(walk: LockWalk, *, after: tuple[str, str], counts: Mapping[str, int], hidden: dict[str, int]) -> None:
    """Save that the walk is done with all before `after`, and keep the lease. Raises LeaseLost."""
    more: dict[str, Any] = {name: F(name) + counts.get(name, 0) for name in COUNTS}
    walk.save_held(hold=LEASE, done_to=after[0], done_to_version=after[1], hidden=hidden, **more)


def pause(walk: LockWalk) -> None:
    """Let others have a turn; another task goes on at the same place. Raises LeaseLost."""
    walk.save_held(release=True, due_at=Now(), attempts=0, trouble="")


def record_failure(walk: LockWalk, trouble: object) -> None:
    """The store does not do it: note and tell, and go on later at the same place. Raises LeaseLost."""
    walk.save_held(release=True, due_at=Now() + AFTER_TROUBLE, trouble=str(trouble)[:500])
    heartbeats.beat(_part(walk.region), trouble=f"Locks are not extended: {trouble}")


def mark_complete(walk: LockWalk, *, to_day: int) -> None:
    """All whose turn came up to that day is locked for longer; audited. The next walk begins EVERY after this one.

    Raises LeaseLost.
    """
    with transaction.atomic():
        walk.save_held(finished_at=Now(), extended_to_day=to_day, trouble="")
        walk.refresh_from_db()
        _tell(walk)
        next_time = F("began_at") + EVERY
        walk.save_held(release=True, due_at=next_time, began_at=None, done_to="", done_to_version="", attempts=0)
    hidden = sum(walk.hidden.values())
    trouble = f"{hidden} objects in {walk.region} were deleted or replaced in the store itself." if hidden else ""
    heartbeats.beat(_part(walk.region), trouble=trouble)


def tell_late() -> None:
    """Tell people of regions in which no walk has come to its end for too long: locks would end one day."""
    long_ago = timezone.now() - LATE
    for walk in LockWalk.objects.select_related("region").filter(began_at__lt=long_ago):
        if object_lock.locks(walk.region):
            with transaction.atomic():
                happened(LocksLate(walk.region, walk.finished_at, walk.trouble), actor=SYSTEM)


def _tell(walk: LockWalk) -> None:
    happened(LocksExtended(walk.region, {name: getattr(walk, name) for name in COUNTS}), actor=SYSTEM)
    happened(LocksOnTime(walk.region), actor=SYSTEM)
    for vault in Vault.objects.select_related("subscription").filter(pk__in=walk.hidden):
        happened(ObjectsHidden(vault, walk.region, walk.hidden[str(vault.pk)]), actor=SYSTEM)
    for vault in Vault.objects.filter(pk__in=walk.hidden_before.keys() - walk.hidden.keys()):
        happened(ObjectsShown(vault, walk.region), actor=SYSTEM)


def _forget(walk: LockWalk) -> None:
    """The regions file says no longer that the region locks objects: nothing is to be told of it any more."""
    with transaction.atomic():
        walk.delete()
        happened(LocksOnTime(walk.region), actor=SYSTEM)
    heartbeats.beat(_part(walk.region))


def _part(region: Region) -> str:
    return f"object lock {region.slug}"
