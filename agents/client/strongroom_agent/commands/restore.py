"""The command `restore`: getting files back, and proving that they are what the snapshot recorded."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import Done, progress
from strongroom_agent.core.paths import is_below
from strongroom_agent.core.sizes import counted
from strongroom_agent.portal import diagnosis, reports, snapshot_catalog, sources
from strongroom_agent.portal.recorded_run import record
from strongroom_agent.portal.sources import Read
from strongroom_agent.proof import damage, free_room, targets
from strongroom_agent.proof.include import matching
from strongroom_agent.proof.recovery import Recovery
from strongroom_agent.proof.targets import Target
from strongroom_agent.restic import snapshots
from strongroom_agent.restic.process import Restic
from strongroom_agent.restic.snapshots import Contents
from strongroom_agent.state import last_snapshot
from strongroom_agent.state.identity import Repository
from strongroom_agent.state.session import Session

from .restore_result import RestoreResult

_RESTORABLE = ("dir", "symlink", "fifo", "dev", "chardev")  # a socket is made by the program that listens on it


@dataclass(frozen=True)
class RestoreOptions:
    """What to restore, as the command line says it."""

    target: str
    snapshot: str = "latest"
    include: list[str] = field(default_factory=list)
    region: str | None = None
    overwrite: bool = False


def run(session: Session, options: RestoreOptions) -> Done:
    """Restore to a folder: files lie below it under their full original path."""
    session.limited = False  # whoever waits for files wants them now
    with targets.prepared(options.target, overwrite=options.overwrite, engine=session.engine) as target:
        session.prepare()
        result = record(session, "restore", lambda: _restore(session, options, target))
    return Done(result.message, details=result.details)


def _restore(session: Session, options: RestoreOptions, target: Target) -> RestoreResult:
    with target.speaking():
        result = _restored(session, options, target)
    if not target.is_at_its_name:
        raise _moved_away(result.recovery)
    return result


def _restored(session: Session, options: RestoreOptions, target: Target) -> RestoreResult:
    with _before_the_run(options):
        read = _contents(session, options)
        found = read.value
        parts = [matching(found, path) for path in options.include]
    inside = [part.listed for part in parts]
    files = [each for each in found.files if not inside or any(is_below(each.path, one) for one in inside)]
    others = [
        each
        for each in found.others
        if each.kind in _RESTORABLE and (not inside or any(is_below(each.path, one) for one in inside))
    ]
    recovery = Recovery(session, found, parts, target, options.overwrite, files, others)
    with _before_the_run(options):
        _check_room(session, recovery, read.repository)
    progress(f"restoring {counted(len(files), 'file')} of snapshot {found.snapshot.id[:8]}")
    order = [
        read.repository,
        *(each for each in sources.candidates(session, options.region) if each != read.repository),
    ]
    try:
        recovery.run(order)
    except AgentError as error:
        raise _with_what_is_left(error, recovery) from error
    _note_damage(recovery)
    older = _about_the_newest(session, found) if options.snapshot == "latest" else ""
    return RestoreResult(recovery, read.note, [each.region for each in order], older)


@contextlib.contextmanager
def _before_the_run(options: RestoreOptions) -> Iterator[None]:
    """A snapshot or part that is not there, or no room: nothing was written, and no backup is in doubt."""
    codes = {"usage", "no_room"} | ({"snapshot_unknown"} if options.snapshot != "latest" else set())
    try:
        yield
    except AgentError as error:
        error.before_the_run = error.code in codes
        raise


def _contents(session: Session, options: RestoreOptions) -> Read[Contents]:
    """What is in the snapshot; `latest` is the newest of all regions, not of what one of them can still read."""
    wanted = options.snapshot
    if wanted == "latest" and (newest := _newest_elsewhere(session, options.region)):
        wanted = newest

    def list_it(restic: Restic, _: Repository) -> Contents:
        return snapshots.contents(restic, wanted)

    if wanted == "latest":
        first = sources.candidates(session, options.region)[0]
        try:
            return Read(sources.attempt(session, first, list_it), first)
        except AgentError as error:
            if not sources.may_be_elsewhere(error):
                raise
        # What another region calls the latest may be an older one.
        wanted = snapshot_catalog.of(session, options.region).newest().id
    return sources.read(session, options.region, list_it)


def _newest_elsewhere(session: Session, region: str | None) -> str | None:
    """The newest snapshot's id where the first region lacks some that another one has, else None: restic finds it."""
    names: list[set[str]] = []
    for repository in sources.candidates(session, region):
        try:
            names.append(set(session.storage.names(repository, "snapshots")))
        except AgentError as error:
            if not sources.may_be_elsewhere(error):
                raise
            return None
    made = last_snapshot.known(session.home)
    if all(each <= names[0] for each in names) and (made is None or made.id in names[0]):
        return None
    return snapshot_catalog.of(session, region).newest().id


def _check_room(session: Session, recovery: Recovery, repository: Repository) -> None:
    if sys.platform == "win32" and recovery.overwrite:
        return  # paths there are not below the target by name
    others_bytes = sum(each.size for each in recovery.found.files) - sum(each.size for each in recovery.files)

    def least() -> int:
        restic = session.restic(repository)
        return free_room.least_bytes(restic, recovery.found.snapshot)

    asked = least if session.engine.recent else None
    free_room.check(recovery.target.path, recovery.files, others_bytes, asked, overwrite=recovery.overwrite)


def _with_what_is_left(error: AgentError, recovery: Recovery) -> AgentError:
    """The error, with the figures of a restore that it has ended."""
    if error.code == "disk_full":
        below = recovery.target.name.rstrip("/")
        named = [each.path for each in recovery.items if below + each.path in error.problem]
        if named:  # else it is the disk of the cache
            error = free_room.became_full(recovery.target.path, max(named, key=len), error.problem, recovery.unproven)
    error.details |= {"files": 0, "proven": 0, "renamed_first": recovery.renamed[:20]}
    return error


def _about_the_newest(session: Session, found: Contents) -> str:
    """What somebody should know who asked for the newest snapshot and no other."""
    said = [last_snapshot.older(session.home, found.snapshot)]
    ended = reports.last(session.home).get("backup")
    if not found.files:
        said.append("There is not a single file in this snapshot: strongroom-agent snapshots lists earlier ones.")
    elif isinstance(ended, dict) and ended.get("code") == "done_with_losses":
        said.append(
            "The last backup found that protected places had lost files: what lacks here is in an earlier snapshot, "
            "which strongroom-agent snapshots lists."
        )
    return " ".join(filter(None, said))


def _note_damage(recovery: Recovery) -> None:
    """Have the report name the objects of the first region that were found damaged, as the storage confirms.

    Where no other region could stand in for them, the next backup stores again what is still on this machine.
    """
    session = recovery.session
    found = diagnosis.damaged_among(session.storage, session.primary, recovery.said)
    session.damaged |= diagnosis.names(found)
    if found and recovery.failed:
        damage.mark(session, f"In region {session.primary.region}: {found[0]}.", found)


def _moved_away(recovery: Recovery) -> AgentError:
    """What was restored is proven, but not where somebody would look for it."""
    name = recovery.target.name
    return AgentError(
        "restore_incomplete",
        f"The folder {name} was moved away or replaced while it was restored to: what was restored does not lie there.",
        "Restore to a new folder in one that only this user can change.",
        files=0,
        proven=0,
        target=name,
        renamed_first=recovery.renamed[:20],
    )
