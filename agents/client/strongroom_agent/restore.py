"""The commands `restore` and `snapshots`: getting files back, from the paired region if need be."""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import restoring, snapshots, storage
from .errors import AgentError, usage
from .output import Done, progress
from .paths import as_listed, in_snapshot, is_below
from .recorded import record
from .restic import Restic
from .session import Session
from .sizes import readable
from .snapshots import Listed, Snapshot

_SHOWN = 20


@dataclass(frozen=True)
class Wish:
    """What to restore, as the command line says it."""

    target: str
    snapshot: str = "latest"
    include: list[str] = field(default_factory=list)
    region: str | None = None


@dataclass(frozen=True)
class RestoreResult:
    """What was asked for and what is in the target folder now."""

    snapshot: Snapshot
    files: int
    bytes: int
    missing: list[str]
    complaints: list[str]

    @property
    def figures(self) -> dict[str, object]:
        """What the portal and the JSON answer show."""
        return {"snapshot": self.snapshot.id, "files": self.files, "bytes": self.bytes}

    @property
    def failure(self) -> AgentError | None:
        """A file that is not there in full is a failure, whatever restic says."""
        if not self.missing:
            return None
        why = f" ({self.complaints[0]})" if self.complaints else ""
        return AgentError(
            "restore_incomplete",
            f"{len(self.missing)} of {self.files + len(self.missing)} files were not restored, "
            f"beginning with {self.missing[0]}{why}.",
            "Check room and permissions in the target folder, then restore again.",
            missing_first=self.missing[:_SHOWN],
            **self.figures,
        )

    @property
    def remark(self) -> str:
        """Files are all there, but for instance not their owners."""
        if not self.complaints:
            return ""
        return f"All files are there, but restic complained, beginning with: {self.complaints[0]}"


def run(session: Session, wish: Wish) -> Done:
    """Restore to a folder: files lie below it under their full original path."""
    target = _target(wish.target)
    session.prepare()
    choice, restic = _open(session, wish.region)
    result = record(session, "restore", lambda: _restore(restic, wish, target))
    text = f"Restored {result.files} files, {readable(result.bytes)}, to {target}."
    return Done(
        " ".join(filter(None, [text, result.remark, choice.note])),
        details={
            **result.figures,
            "target": target,
            "region": choice.repository.region,
            "from_copy": choice.repository.read_only,
            "note": choice.note,
        },
    )


def run_snapshots(session: Session, region: str | None) -> Done:
    """List the snapshots of this machine."""
    session.prepare()
    choice, restic = _open(session, region)
    found = snapshots.all_of(restic)
    lines = [f"{each.id[:8]}  {each.time[:19]}  {', '.join(each.paths)}" for each in found]
    return Done(
        "\n".join(lines) or "There is no snapshot yet.",
        details={
            "snapshots": [asdict(each) for each in found],
            "region": choice.repository.region,
            "from_copy": choice.repository.read_only,
            "note": choice.note,
        },
    )


def _open(session: Session, region: str | None) -> tuple[storage.Choice, Restic]:
    choice = storage.choose(session.storage, session.identity.repositories, region)
    if choice.note:
        progress(f"note: {choice.note}")
    return choice, session.unlocked(choice.repository)


def _target(text: str) -> str:
    target = Path(text).absolute()
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AgentError(
            "target_unusable",
            f"The folder {target} cannot be made: {error.strerror}.",
            "Give --target a folder that this user may write to.",
        ) from error
    return str(target)


def _restore(restic: Restic, wish: Wish, target: str) -> RestoreResult:
    snapshot, files = snapshots.contents(restic, wish.snapshot)
    wanted = files
    inside: list[str] = []
    if wish.include:
        inside = [_matching(files, path) for path in wish.include]
        wanted = [each for each in files if any(is_below(each.path, one) for one in inside)]
    progress(f"restoring {len(wanted)} files of snapshot {snapshot.id[:8]}")
    complaints = restoring.restore(restic, snapshot, inside, target)
    there, missing = _arrived(wanted, target)
    return RestoreResult(snapshot, len(there), sum(one.size for one in there), missing, complaints)


def _matching(files: list[Listed], path: str) -> str:
    """The snapshot's path for what the user named; AgentError if nothing in it fits."""
    absolute = os.path.abspath(path)
    for candidate in (path, in_snapshot(absolute), in_snapshot(os.path.realpath(absolute))):
        if any(is_below(each.path, candidate) for each in files):
            return candidate
    raise usage(
        f"The snapshot holds no file at {path}.",
        "Give --include the full path that the file or folder had on the machine.",
    )


def _arrived(wanted: list[Listed], target: str) -> tuple[list[Listed], list[str]]:
    """Which files are in the target folder in full length, and the paths of those that are not."""
    lengths = _lengths(target)
    there, missing = [], []
    for each in wanted:
        if lengths.get(each.path) == each.size:
            there.append(each)
        else:
            missing.append(each.path)
    return there, missing


def _lengths(target: str) -> dict[str, int]:
    """Sizes of the files below the target folder, under the names that a snapshot gives them."""
    found: dict[str, int] = {}
    for folder, _, names in os.walk(target):
        for name in names:
            path = os.path.join(folder, name)
            inside = os.path.relpath(path, target).replace(os.sep, "/")
            found["/" + as_listed(inside)] = os.lstat(path).st_size
    return found
