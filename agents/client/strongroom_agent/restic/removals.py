"""Deleting with restic where the storage may refuse: snapshots by their ids, and packs that nothing refers to.

restic 0.18 ends `forget` and `prune` with 0 when deletions were refused, and `forget --prune` would take the packs of
snapshots that are still there. So the two are apart, and what is gone is told by lists of the storage, never by restic.
"""

from collections.abc import Sequence

from .errors import explain, refused_removal
from .process import Restic

AT_ONCE = 100
"""Snapshots given to one restic: their ids must fit into a command line, also on Windows."""
_REFUSED = (0, 1, 3)  # how restic ends when it could not delete all: 0 today
_TIDY = ("--max-unused", "10%", "--max-repack-size", "8G")
"""What is still used moves out of packs of which much is unused. Each byte that moves is sent again, and lies in the
trash as well for as long as that keeps it: so a little more is left unused than restic would leave (5 %), and what
moves in one run is about what a line of 1 Mbit/s carries in the day for which a retain is announced."""
_FRUGAL = ("--max-unused", "unlimited", "--max-repack-size", "0")
"""Only packs of which nothing is used any more: that takes a new index and nothing else."""


def forget(restic: Restic, snapshots: Sequence[str]) -> None:
    """Delete these snapshots, given by their whole ids, as far as the storage lets them go. Their data stays.

    AgentError where it did not come to that; the storage's own list says what is gone.
    """
    for start in range(0, len(snapshots), AT_ONCE):
        ended = restic.run("forget", *snapshots[start : start + AT_ONCE], accept=_REFUSED)
        if ended.status and not any(refused_removal(line) for line in ended.complaints):
            raise explain("forget", ended.status, ended.complaints)


def prune(restic: Restic, *, frugal: bool) -> set[str]:
    """Delete the packs that no snapshot needs; `frugal` stores next to nothing for that, for where there is no room.

    The names of those that the storage did not let go: restic has put them out of its index, and a later prune, which
    finds them there still, tries again.
    """
    refused = set[str]()

    def take(line: str) -> None:
        if found := refused_removal(line):
            refused.add(found)

    restic.run("prune", *(_FRUGAL if frugal else _TIDY), on_complaint=take)
    return refused - {""}
