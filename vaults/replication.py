"""Replication: copies what machines stored to the paired region.

Only whole objects that match their names are copied, nothing is ever deleted, and a snapshot is copied only when all
that it may refer to is there: snapshots and indexes are listed first, copied last, and what appears in the meantime
waits for the next round.
"""

import time
from collections.abc import Iterable

from portal.leases import LeaseLost
from vaults import copies, integrity
from vaults.models import PairedCopy
from vaults.storage import layout
from vaults.storage.base import StorageError
from vaults.storage.layout import Stored
from vaults.storage.rclone import region_storage

LONGEST = 120  # seconds of copying in one task, so that large vaults take turns with others
EXTEND_EVERY = 20  # seconds; with the longest call to storage it stays below the lease


class _TimeUp(Exception):
    """The task has used its time; what is copied stays copied."""


def run(copy_id: int) -> None:
    """Make one round: afterwards the copy is complete, or due again, or somebody else's."""
    copy = copies.claim(copy_id)
    if copy is None:
        return
    try:
        _make_round(copy)
    except LeaseLost:
        return  # stopped, or taken over by another worker


def _make_round(copy: PairedCopy) -> None:
    try:
        _Round(copy).go()
    except _TimeUp:
        copies.interrupted(copy)
    except StorageError as error:
        copies.troubled(copy, str(error))
    else:
        copies.completed(copy)


class _Round:
    """One walk over all machines of a vault, in the order of their names, from its region to the pair."""

    def __init__(self, copy: PairedCopy) -> None:
        self.copy = copy
        self.source = region_storage(copy.vault.region)
        self.target = region_storage(copy.region)
        self.extended = time.monotonic()
        self.ends = self.extended + LONGEST

    def go(self) -> None:
        """Copy what the pair lacks of every machine; raises StorageError, LeaseLost, _TimeUp."""
        vault = str(self.copy.vault_id)
        self.target.make_container(vault)
        for machine in layout.folders(self.source, vault):
            if machine > self.copy.round_done_to:
                self._machine(f"{vault}/{machine}")
                self.copy.save_held(hold=copies.LEASE, round_done_to=machine)

    def _machine(self, machine: str) -> None:
        snapshots = list(layout.objects(self.source, machine, "snapshots"))
        indexes = list(layout.objects(self.source, machine, "index"))
        self._config(machine)
        self._folders(layout.objects(self.source, machine, "keys"))
        self._folders(layout.objects(self.source, machine, "data"))
        self._folders(indexes)
        self._folders(snapshots)

    def _config(self, machine: str) -> None:
        """It never changes, so one that the pair has is kept, unless it was cut off."""
        ours, theirs = layout.config(self.source, machine), layout.config(self.target, machine)
        if ours and ours.plausible("") and not (theirs and theirs.plausible("")):
            self.source.copy_to(self.target, [ours.path])

    def _folders(self, folders: Iterable[list[Stored]]) -> None:
        for found in folders:
            self._go_on()
            for batch in layout.batches(self._missing(found)):
                self._batch(batch)

    def _missing(self, found: list[Stored]) -> list[Stored]:
        if not found:
            return []
        folder = found[0].path.rpartition("/")[0]
        there = {(entry.name, entry.size) for entry in self.target.entries(folder)}
        return [item for item in found if (item.name, item.size) not in there]

    def _batch(self, batch: list[Stored]) -> None:
        findings = integrity.compare(self.source, self.copy.vault.region, batch, uploads=True)
        self._go_on()
        self.source.copy_to(self.target, [item.path for item in findings.genuine])
        self.copy.objects_copied += len(findings.genuine)
        self._go_on()

    def _go_on(self) -> None:
        """Keep the lease fresh, at most one write each EXTEND_EVERY; stop when the time is used."""
        now = time.monotonic()
        if now > self.ends:
            raise _TimeUp
        if now > self.extended + EXTEND_EVERY:
            self.copy.extend(copies.LEASE)
            self.extended = now
