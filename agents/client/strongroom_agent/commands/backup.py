"""The command `backup`: one snapshot of what is protected."""

import json
import time
from dataclasses import dataclass, field
from functools import partial

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import Done, progress
from strongroom_agent.core.paths import in_snapshot, pattern
from strongroom_agent.core.patterns import Skip
from strongroom_agent.core.sizes import counted, readable
from strongroom_agent.portal.progress import Nobody
from strongroom_agent.portal.recorded_run import record
from strongroom_agent.proof import damage, healing, losses, unread
from strongroom_agent.restic.process import Ended, Restic
from strongroom_agent.state import last_snapshot, protected
from strongroom_agent.state.protected import Held, Protected
from strongroom_agent.state.session import Session

from . import surrounding_commands
from .backup_result import BackupResult, all_absent

# restic's status for "a snapshot was made, but some of the source could not be read".
_INCOMPLETE = 3
_SILENCE = 15  # seconds without a word, in which people begin to wonder
_NOTHING = Held()


@dataclass
class _Progress:
    """Takes restic's messages: tells a person now and then, and whoever else wants to know; keeps the summary.

    `expected` is what was counted before.
    """

    expected: Held
    teller: Nobody
    summary: dict[str, object] = field(default_factory=dict)
    tenths: int = 0
    told_at: float = field(default_factory=time.monotonic)

    def line(self, text: str) -> None:
        if not text.startswith("{"):
            return
        message = json.loads(text)
        kind = message.get("message_type")
        if kind == "summary":
            self.summary = message
        elif kind == "status":
            self._show(message)
            self._tell(message)

    def _tell(self, message: dict[str, object]) -> None:
        done, seconds = _number(message, "bytes_done"), _number(message, "seconds_elapsed")
        rate = done / seconds if seconds else None
        self.teller.tell(
            "backup",
            files_done=_number(message, "files_done"),
            files_total=self.expected.files,
            bytes_done=done,
            bytes_total=self.expected.bytes,
            rate=rate,
            seconds_left=(self.expected.bytes - done) / rate if rate else None,
        )

    def _show(self, message: dict[str, object]) -> None:
        done = _number(message, "bytes_done")
        percent = min(100, done * 100 // self.expected.bytes) if self.expected.bytes else 100
        if percent // 10 > self.tenths or time.monotonic() - self.told_at > _SILENCE:
            self.tenths, self.told_at = percent // 10, time.monotonic()
            told = f"{counted(self.expected.files, 'file')}, {readable(self.expected.bytes)}"
            progress(f"backing up: {percent} % of {told}")


def run(session: Session, *, accept_losses: bool = False) -> Done:
    """Back up and report it to the portal. With `accept_losses` what is not there any more is not missed again."""
    session.prepare()
    return told(back_up(session, accept_losses=accept_losses))


def told(result: BackupResult) -> Done:
    """The answer for a backup that was made."""
    text = f"Backed up {counted(result.files, 'file')}, {readable(result.bytes)}: snapshot {result.snapshot[:8]}."
    return Done(
        " ".join(filter(None, [text, result.remark, result.remedy, result.note])),
        code=result.code,
        remedy=result.remedy,
        details=result.details,
    )


def back_up(session: Session, *, accept_losses: bool = False, options: tuple[str, ...] = ()) -> BackupResult:
    """One recorded backup to the writable repository; `options` are further ones of restic's."""
    work = partial(_back_up, session, accept_losses, options)
    return record(session, "backup", lambda: surrounding_commands.around(session, work))


def excluded(session: Session) -> list[str]:
    """What is inside the protected paths and not backed up: the agent's own folders, which change all the time, the
    credential file, and file systems that hold nothing of this machine."""
    roots = [each.path for each in _meaning(session) if each.path]
    left_out = protected.left_out(roots, network=session.settings.include_network)
    return [*_own(session), *protected.excludes(list(left_out), roots)]


def skip(session: Session) -> Skip:
    """The same, with all that patterns leave out."""
    return Skip(excluded(session), session.settings.options.patterns())


def _own(session: Session) -> list[str]:
    own = [session.settings.cache_dir, str(session.home.folder.resolve()), session.settings.credential_file]
    return [path for path in own if path]


def _meaning(session: Session) -> list[Protected]:
    return [protected.resolve(name) for name in session.settings.protect]


def _back_up(session: Session, accept_losses: bool, options: tuple[str, ...]) -> BackupResult:
    protect = _meaning(session)
    roots = sorted({each.path for each in protect if each.path})
    if not roots:
        raise all_absent(session.settings.protect)
    skip, patterns = excluded(session), session.settings.options.patterns()
    places = losses.look(protect, Skip(skip, patterns))
    lost = losses.against(session.home, losses.look_as_before(session.home, protect, skip, patterns) or places)
    for loss in lost:
        progress(f"note: {loss}.")
    restic = session.open_primary()
    if not any(place.files for place in places):
        _require_a_file(session, restic, roots, skip)
    cure = healing.begin(session, restic)
    gone, began = last_snapshot.lost(session), times.render(times.now())
    ended, summary = _run_restic(session, restic, roots, skip, (*options, *cure.options), losses.held(places))
    unreadable, vanished = unread.sort(ended.complaints) if ended.status == _INCOMPLETE else ([], [])
    snapshot = _full_id(session, str(summary["snapshot_id"]))
    last_snapshot.remember(session.home, snapshot, began)
    result = BackupResult(
        snapshot=snapshot,
        files=_number(summary, "total_files_processed"),
        bytes=_number(summary, "total_bytes_processed"),
        bytes_added=_number(summary, "data_added"),
        unreadable=unreadable,
        vanished=vanished,
        losses=[] if accept_losses else lost,
        links={each.name: each.path for each in protect if each.path and each.path != each.name},
        left_out=protected.left_out(roots, network=session.settings.include_network),
        damaged=cure.end(restic),
        gone=gone,
        way_out=damage.way_out(session),
    )
    if result.failure is None:
        losses.remember(session.home, places, lost, accept=accept_losses)
        losses.remember_patterns(session.home, patterns)
    return result


def _require_a_file(session: Session, restic: Restic, roots: list[str], skip: list[str]) -> None:
    """Raise what a backup without a single file ends with, before there is a snapshot of nothing, which would be the
    newest one. restic itself has the last word on what a file is, and on what cannot be read."""
    ended, summary = _run_restic(session, restic, roots, skip, ("--dry-run",))
    unreadable = unread.sort(ended.complaints)[0] if ended.status == _INCOMPLETE else []
    nothing = BackupResult("", _number(summary, "total_files_processed"), 0, 0, unreadable)
    if nothing.failure:
        raise nothing.failure


def _run_restic(
    session: Session,
    restic: Restic,
    roots: list[str],
    skip: list[str],
    options: tuple[str, ...],
    expected: Held = _NOTHING,
) -> tuple[Ended, dict[str, object]]:
    """How restic ended, and the summary that it gave. `expected`: what was counted there, for telling how far it is."""
    arguments = ["backup", "--json", "--host", session.identity.name, *options]
    if session.engine.can_skip_scan:
        arguments.append("--no-scan")  # it would count the files once more
    if session.settings.options.from_snapshot:
        arguments.append("--use-fs-snapshot")
    for each in session.settings.options.patterns().given:
        arguments.append(f"--exclude={each}")
    for path in skip:  # the last ones: no pattern of a person's brings our own folders back
        arguments += ["--exclude", pattern(in_snapshot(path))]
    watched = _Progress(expected, session.teller)
    ended = restic.run(*arguments, "--", *roots, on_line=watched.line, accept=(0, _INCOMPLETE))
    return ended, watched.summary


def _full_id(session: Session, given: str) -> str:
    """restic before 0.17 gives only the beginning of the new snapshot's id."""
    known = session.storage.names(session.primary, "snapshots")
    found = [name for name in known if name.startswith(given)]
    if len(found) != 1:
        raise AgentError(
            "snapshot_lost",
            f"restic says that it made snapshot {given}, but the storage does not have it.",
            "Run strongroom-agent backup again; if it repeats, tell an administrator of the portal.",
        )
    return found[0]


def _number(summary: dict[str, object], name: str) -> int:
    return int(str(summary.get(name, 0)))
