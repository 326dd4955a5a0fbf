"""The restore check: restore a snapshot to a scratch folder and compare it with the source."""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import backup, comparing, restoring, selection, snapshots
from .comparing import Tally
from .errors import AgentError
from .output import progress
from .overlooked import overlooked
from .paths import of_machine
from .recorded import record
from .restic import Restic
from .session import Session
from .sizes import readable
from .snapshots import Listed, Snapshot

_SCRATCH = "restore-check-"


@dataclass(frozen=True)
class CheckResult:
    """What the comparison found; `total` counts the regular files in the snapshot."""

    snapshot: Snapshot
    tally: Tally
    total: int

    @property
    def figures(self) -> dict[str, object]:
        """What the portal and the JSON answer show."""
        return {
            "snapshot": self.snapshot.id,
            "compared": self.tally.compared,
            "compared_bytes": self.tally.compared_bytes,
            "total": self.total,
            "changed": self.tally.changed,
            "mismatched": len(self.tally.mismatched),
        }

    @property
    def failure(self) -> AgentError | None:
        """Any difference is a failure, and so is having compared nothing."""
        details = {**self.figures, "mismatched_first": self.tally.first_mismatched}
        if self.tally.mismatched:
            return AgentError(
                "restore_check_failed",
                f"{len(self.tally.mismatched)} of {self.tally.compared} files did not come back as "
                f"they are, beginning with {self.tally.mismatched[0]}.",
                "Run strongroom-agent backup and check again; if it repeats, tell the vault's people.",
                **details,
            )
        if self.tally.compared == 0:
            return AgentError(
                "nothing_compared",
                f"None of the {self.total} files in the snapshot could be compared; "
                f"{self.tally.changed} have changed since.",
                "Run strongroom-agent backup, then check again.",
                **details,
            )
        return None

    @property
    def remark(self) -> str:
        """The result in a sentence."""
        text = (
            f"{self.tally.compared} of {self.total} files, "
            f"{readable(self.tally.compared_bytes)}, restored and compared byte for byte"
        )
        changed = self.tally.changed
        return f"{text}; {changed} changed since the backup." if changed else f"{text}."


def restore_check(session: Session, wanted: str) -> CheckResult:
    """One recorded restore check of a snapshot (its id, or `latest`) in the writable repository."""
    return record(session, "restore_check", lambda: _check(session, wanted))


def _check(session: Session, wanted: str) -> CheckResult:
    restic = session.restic(session.primary)
    cache = Path(session.settings.cache_dir)
    clear_scratch(cache)
    listed = snapshots.contents(restic, wanted)
    snapshot, files = listed.snapshot, listed.files
    chosen = selection.choose(files)
    progress(f"restore check: {len(chosen)} of {len(files)} files")
    tally = Tally()
    room = _room(cache)
    fitting, large = selection.split(chosen, room)
    for batch in selection.batches(fitting, files, room):
        with _scratch(cache) as folder:
            restoring.restore(restic, snapshot, batch.include, folder)
            comparing.compare_tree(folder, batch.files, snapshot.began_ns, tally)
        progress(f"restore check: {tally.compared + tally.changed} of {len(chosen)} files compared")
    for each in large:
        _compare_streamed(restic, snapshot, each, tally)
    skip = frozenset(backup.excluded(session))
    forgotten = overlooked(snapshot.paths, skip, files, snapshot.began_ns)
    tally.compared += len(forgotten)
    tally.mismatched += forgotten
    return CheckResult(snapshot, tally, len(files))


def _room(cache: Path) -> int:
    """How many bytes may be restored at a time: half of what the cache folder has free."""
    return shutil.disk_usage(cache).free // 2


def _compare_streamed(restic: Restic, snapshot: Snapshot, listed: Listed, tally: Tally) -> None:
    """A file too large for the scratch folder is compared as it comes, without storing it."""
    source = of_machine(listed.path.lstrip("/"))
    with restic.stream("dump", snapshot.id, listed.path) as copy:
        comparing.compare_stream(copy, source, listed, snapshot.began_ns, tally)


@contextlib.contextmanager
def _scratch(cache: Path) -> Iterator[str]:
    """A folder of our own in the cache folder, gone afterwards."""
    folder = tempfile.mkdtemp(prefix=_SCRATCH, dir=cache)
    try:
        yield folder
    finally:
        remove_tree(folder)


def clear_scratch(cache: Path) -> None:
    """Remove what a check that was killed has left behind."""
    for left in cache.glob(f"{_SCRATCH}*"):
        remove_tree(str(left))


def remove_tree(folder: str) -> None:
    """Delete a restored tree, also where its own modes forbid it."""
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = os.path.join(parent, name)
            if not stat.S_ISLNK(os.lstat(path).st_mode):
                os.chmod(path, 0o700)
    shutil.rmtree(folder)
