"""Walking over a region with object lock, version by version: locks are extended, and what nobody needs is erased.

Counted from its upload a lock would not protect old packs that young snapshots rest on. So what is live is locked for
longer again and again, when a third of its time is over: each object has days of its own for it, by its name, so that
each day has the same share of them, and no time has to be kept for each. What lies in the trash is locked until it may
be purged.

All older versions of what is live stay locked as well: if the newest one is junk that somebody stored with the region's
key, the one that is meant lies below. What is needed by nobody, such as old locks of restic and what was purged, is
erased when its own lock has ended.
"""

import time
import zlib
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from django.utils import timezone

from portal.core import leases
from vaults.integrity import lock_schedule
from vaults.integrity.version_owners import Owned, owners
from vaults.models import LockWalk
from vaults.regions import object_lock
from vaults.regions.storage.base import StorageError, StorageUnavailable
from vaults.regions.storage.versions import Version, VersionedBucket, VersionLocked

LONGEST = 60  # seconds of one task
AT_ONCE = 8  # requests to the store
EPOCH = datetime(1970, 1, 1).date()  # noqa: DTZ001 - days are counted in UTC from it
MARGIN = timedelta(days=2)
"""Between the end of a lock and the moment for which it is there: walks are a day apart, and take their time."""


def run(walk_id: int) -> None:
    """Make one slice: afterwards the walk is complete, or due again, or somebody else's."""
    leases.run(lock_schedule.claim(walk_id), _slice, trouble=StorageError, on_trouble=lock_schedule.record_failure)


def _slice(walk: LockWalk) -> None:
    """Pages, until the end of the region or of the time. Raises StorageError, LeaseLost."""
    bucket, ends = object_lock.bucket_of(walk.region), time.monotonic() + LONGEST
    if bucket is None:
        return
    after, hidden = (walk.done_to, walk.done_to_version), Counter[str](walk.hidden)
    made = Turn(walk, bucket)
    while True:
        page = bucket.page("", after)
        counts = made.work_on(page.versions, hidden, whole=not page.after[0])
        after = page.after
        lock_schedule.save_progress(walk, after=after, counts=counts, hidden=dict(hidden))
        if not after[0]:
            lock_schedule.mark_complete(walk, to_day=made.today)
            return
        if time.monotonic() > ends:
            lock_schedule.pause(walk)
            return


@dataclass
class Turn:
    """One walk: whose turn it is to be locked for longer, and what that is."""

    walk: LockWalk
    bucket: VersionedBucket
    now: datetime = field(default_factory=lambda: timezone.now())

    @cached_property
    def today(self) -> int:
        """The day on which the walk began, however long it takes."""
        return ((self.walk.began_at or self.now).date() - EPOCH).days

    @cached_property
    def period(self) -> int:
        """Days within which each object has its turn once."""
        return self.bucket.lock_days // 3

    def has_turn(self, path: str) -> bool:
        """Whether one of the days since the last walk is the object's."""
        last = self.walk.extended_to_day
        if last is None or self.today - last >= self.period:
            return True
        own = zlib.crc32(path.encode()) % self.period
        return any(day % self.period == own for day in range(last + 1, self.today + 1))

    def lasting(self, soft_delete: timedelta) -> datetime:
        """Until when live objects of a vault are locked today: for as long as the file says, and at least so that the
        soft-delete period is left when their next turn comes."""
        days = timedelta(days=self.bucket.lock_days)
        return self.now + max(days, soft_delete + timedelta(days=self.period) + MARGIN)

    def work_on(self, versions: list[Version], hidden: Counter[str], *, whole: bool) -> Counter[str]:
        """Extend and erase; what was done. What is hidden is counted in `hidden`, by vault.

        Unless it is the `whole` rest, the last path may go on on the next page. Raises StorageError.
        """
        owned = owners(versions)
        counts = Counter[str](versions_seen=len(versions))
        wanted = [(each, until) for each in versions if (until := self._wanted_until(each, owned))]
        locked = _read_back(self.bucket, self._lock(wanted))
        counts["locks_extended"] = locked
        alone = Counter(each.path for each in versions)
        cut_off = versions[-1].path if versions and not whole else None
        for each in versions:
            owner = owned.get(each.path)
            if owner is not None and owner.in_place and each.latest and (each.marker or owner.other_size(each)):
                hidden[owner.vault] += 1
            only = alone[each.path] == 1 and each.path != cut_off
            if owner is None and (not each.latest or (each.marker and only)):
                counts += self._erase(each)
        return counts

    def _wanted_until(self, version: Version, owned: dict[str, Owned]) -> datetime | None:
        """Until when the version has to be locked, where its turn has come."""
        owner = owned.get(version.path)
        if owner is None or version.marker or owner.other_size(version) or not self.has_turn(version.path):
            return None
        if owner.removed_at is None:
            return self.lasting(owner.soft_delete)
        until = owner.removed_at + owner.soft_delete + MARGIN
        return until if until > self.now else None

    def _lock(self, wanted: list[tuple[Version, datetime]]) -> list[tuple[Version, datetime]]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(self.bucket.lock, version, until) for version, until in wanted]:
                done.result()
        return wanted

    def _erase(self, version: Version) -> Counter[str]:
        """Erase it if its lock has ended; nothing is asked where that cannot be."""
        waits = Counter(bytes_waiting=version.size)
        uploaded_with = version.modified + timedelta(days=self.bucket.lock_days)
        if not version.marker and uploaded_with > self.now:
            return waits
        try:
            self.bucket.erase(version)
        except VersionLocked:
            return waits
        return Counter(versions_erased=1, bytes_erased=version.size)


def _read_back(bucket: VersionedBucket, locked: Iterable[tuple[Version, datetime]]) -> int:
    """How many were locked; raises StorageUnavailable when the store says otherwise of the first of them."""
    done = list(locked)
    if done:
        version, until = done[0]
        found = bucket.locked_until(version)
        if found is None or found < until - timedelta(seconds=1):  # stores keep whole seconds
            raise StorageUnavailable(f"{bucket.name} has taken a lock, and does not have it.")
    return len(done)
