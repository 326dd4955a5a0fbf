"""Running `restic restore`, and what its exit status is worth."""

from .paths import pattern
from .restic import Restic
from .restic_errors import explain
from .snapshots import Snapshot


def restore(restic: Restic, snapshot: Snapshot, include: list[str], folder: str) -> list[str]:
    """Restore a snapshot, or only the snapshot paths in `include`, below a folder.

    What restic complained about while going on, empty if nothing. It does so where owners or
    attributes may not be set; whether the files are all there is for the caller to find out.
    AgentError when it gave up.
    """
    arguments = ["restore", snapshot.id, "--target", folder]
    for path in include:
        arguments += ["--include", pattern(path)]
    ended = restic.run(*arguments, accept=(0, 1))
    if ended.status == 0:
        return []
    if not any("There were" in line for line in ended.complaints):
        raise explain("restore", ended.status, ended.complaints)
    return ended.complaints
