"""The commands `restore` and `snapshots`: getting files back, from the paired region if need be."""

import os
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path

from . import arrived, restoring, snapshots, storage
from .errors import AgentError, usage, why
from .output import Done, progress
from .paths import in_snapshot, is_below
from .recorded import record
from .restic import Restic
from .session import Session
from .sizes import readable
from .snapshots import Contents, Snapshot

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
    bare: int  # links and folders without files that were asked for by name
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
    def sentence(self) -> str:
        """What is in the target folder now, for the beginning of a sentence."""
        text = f"Restored {self.files} files, {readable(self.bytes)}"
        return f"{text}, and the links and empty folders asked for" if self.bare else text

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
    text = f"{result.sentence}, to {target}."
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
            f"The folder {target} cannot be made: {why(error)}.",
            "Give --target a folder that this user may write to.",
        ) from error
    return str(target)


def _restore(restic: Restic, wish: Wish, target: str) -> RestoreResult:
    found = snapshots.contents(restic, wish.snapshot)
    inside = [_matching(found, path) for path in wish.include]
    roots = inside or [in_snapshot(path) for path in found.snapshot.paths]
    wanted = [each for each in found.files if not inside or any(is_below(each.path, one) for one in inside)]
    bare = [one for one in inside if not any(is_below(each.path, one) for each in wanted)]
    progress(f"restoring {len(wanted)} files of snapshot {found.snapshot.id[:8]}")
    complaints = restoring.restore(restic, found.snapshot, inside, target)
    missing = arrived.missing(target, roots, wanted, bare)
    lost = frozenset(missing)
    there = [each for each in wanted if each.path not in lost]
    bare = [one for one in bare if one not in lost]
    return RestoreResult(found.snapshot, len(there), sum(one.size for one in there), len(bare), missing, complaints)


def _matching(found: Contents, path: str) -> str:
    """The snapshot's path for what the user named; AgentError if nothing in it fits."""
    absolute = os.path.abspath(path)
    # The folder of a link by its real path, but the link itself: that is what a snapshot has of it.
    beside = os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))
    for candidate in (path, *map(in_snapshot, (absolute, beside, os.path.realpath(absolute)))):
        known = chain((each.path for each in found.files), found.others)
        if any(is_below(each, candidate) for each in known):
            return candidate
    raise usage(
        f"The snapshot holds nothing at {path}.",
        "Give --include the full path that the file or folder had on the machine.",
    )
