"""Copying: keeps what machines stored the same in a vault's region and in the paired one.

What the pair lacks is copied there; what the vault's region has lost comes back (failback.py). Only whole objects that
match their names are copied, nothing is ever deleted but moved to the trash when its machine removed it, and a snapshot
is copied only when all that it may refer to is there: snapshots and indexes are listed first, copied last, and what
appears in the meantime waits for the next round. A machine is done when both sides were listed and found equal.
What machines have found damaged in its place is compared at the end of a round.
"""

import time
from collections.abc import Iterable

from portal.core import leases
from vaults import copy_schedule
from vaults.integrity import suspects, verify
from vaults.models import PairedCopy, Region
from vaults.regions.storage import layout
from vaults.regions.storage.base import StorageError, StorageUnavailable
from vaults.regions.storage.layout import Repository, Stored
from vaults.regions.storage.rclone import region_storage
from vaults.replication import failback
from vaults.trash import removals

LONGEST = 120  # seconds of copying in one task, so that large vaults take turns with others
EXTEND_EVERY = 20  # seconds; with the longest call to storage it stays below the lease


class _TimeUp(Exception):
    """The task has used its time; what is copied stays copied."""


def run(copy_id: int) -> None:
    """Make one round: afterwards the copy is complete, or due again, or somebody else's."""
    leases.run(copy_schedule.claim(copy_id), _make_round, trouble=StorageError, on_trouble=copy_schedule.record_failure)


def _make_round(copy: PairedCopy) -> None:
    made = _Round(copy)
    try:
        made.go()
    except _TimeUp:
        copy_schedule.release(copy)
    else:
        # Last of all: what machines call damaged must not keep from the pair what they have stored.
        all_compared = suspects.compare(copy, made.hold)
        copy_schedule.mark_complete(copy, soon=not all_compared)


class _Round:
    """One walk over all machines of a vault: those that reported first, then in the order of their names."""

    def __init__(self, copy: PairedCopy) -> None:
        self.copy = copy
        self.source = region_storage(copy.vault.region)
        self.target = region_storage(copy.region)
        self.extended = time.monotonic()
        self.ends = self.extended + LONGEST

    def go(self) -> None:
        """Make both regions equal for every machine; raises StorageError, LeaseLost, _TimeUp."""
        vault = str(self.copy.vault_id)
        ours, theirs = layout.folders(self.source, vault), layout.folders(self.target, vault)
        if theirs and not ours:
            _require_container(self.copy.vault.region, vault)
        if ours and not theirs and self.copy.objects_copied:
            _require_container(self.copy.region, vault)
        self.target.make_container(vault)
        # Also machines of which the vault's region has nothing at all any more.
        machines = sorted({*ours, *theirs})
        reported = [machine for machine in self.copy.reported if machine in machines]
        for machine in reported:
            self._machine(machine)
        for machine in machines:
            if machine > self.copy.round_done_to:
                if machine not in reported:
                    self._machine(machine)
                self.copy.save_held(hold=copy_schedule.LEASE, round_done_to=machine)

    def _machine(self, number: str) -> None:
        machine = f"{self.copy.vault_id}/{number}"
        # In this order: what was removed by now and is listed all the same was stored again.
        removed = removals.of_machine(self.copy.vault, number)
        ours = layout.repository(self.source, machine)
        removals.stored_again(removed, ours.paths)
        theirs = layout.repository(self.target, machine)
        expected = self._copy(ours, theirs)
        self._require_equal(machine, expected, theirs)
        gone = removed.keys() - ours.paths
        for path in gone & theirs.paths:
            removals.to_trash(self.target, path)
        lost = [item for item in theirs.all if item.path not in ours.paths | gone]
        for batch in layout.batches(lost):
            self._go_on()
            failback.bring_back(self.copy, batch)

    def _copy(self, ours: Repository, theirs: Repository) -> list[Stored]:
        """Copy what the pair lacks; gives what it lacked and must have now."""
        there = {(item.path, item.size) for item in theirs.all}
        copied = self._config(ours, theirs)
        for kind in (ours.keys, ours.data, ours.index, ours.snapshots):
            missing = (item for item in kind if (item.path, item.size) not in there)
            for batch in layout.batches(missing):
                copied += self._batch(batch)
        return copied

    def _config(self, ours: Repository, theirs: Repository) -> list[Stored]:
        """It never changes, so one that the pair has is kept, unless it was cut off."""
        if ours.config is None or (theirs.config and theirs.config.plausible("") and ours.config.plausible("")):
            return []
        findings = verify.compare(self.source, self.copy.vault.region, [ours.config], uploads=True)
        gone = self.source.copy_to(self.target, [item.path for item in findings.genuine])
        return [item for item in findings.genuine if item.path not in gone]

    def _batch(self, batch: list[Stored]) -> list[Stored]:
        self._go_on()
        findings = verify.compare(self.source, self.copy.vault.region, batch, uploads=True)
        self._go_on()
        gone = self.source.copy_to(self.target, [item.path for item in findings.genuine])
        copied = [item for item in findings.genuine if item.path not in gone]
        self.copy.objects_copied += len(copied)
        return copied

    def _require_equal(self, machine: str, expected: list[Stored], theirs: Repository) -> None:
        """Raise StorageUnavailable unless the pair has what was copied, as its own listing says."""
        if not expected:
            return
        self._go_on()
        there = {(item.path, item.size) for item in layout.repository(self.target, machine).all}
        lacking = [item.path for item in expected if (item.path, item.size) not in there]
        lacking = [path for path in lacking if path not in removals.removed_among(lacking)]
        if lacking:
            raise StorageUnavailable(
                f"{self.copy.region} does not have {_counted(lacking)} that it has just been given."
            )

    def _go_on(self) -> None:
        """Keep the lease fresh, at most one write each EXTEND_EVERY; stop when the time is used."""
        now = time.monotonic()
        if now > self.ends:
            raise _TimeUp
        self.hold()

    def hold(self) -> None:
        """Keep the lease fresh, at most one write each EXTEND_EVERY. Raises LeaseLost."""
        now = time.monotonic()
        if now > self.extended + EXTEND_EVERY:
            self.copy.extend(copy_schedule.LEASE)
            self.extended = now


def _require_container(region: Region, vault: str) -> None:
    """Raise StorageUnavailable when the region has not even the vault's folder, though machines have stored in it.

    Absence is not emptiness: a disk that is not mounted looks like this, and what is brought back would fill the disk
    below it. A vault whose folder is really gone comes back once somebody has made the folder again. Where folders
    without objects do not stay there is nothing to be told by one.
    """
    storage = region_storage(region)
    if vault not in layout.folders(storage, "") and storage.keeps_folders():
        raise StorageUnavailable(
            f"{region} does not have the folder of this vault at all. Is its disk mounted? Nothing is copied there"
            f" until the folder {vault} is there."
        )


def _counted(paths: Iterable[str]) -> str:
    count = len(list(paths))
    return "an object" if count == 1 else f"{count} objects"
