"""The command `backup`: one snapshot of what is protected."""

import json
import os
import time
from dataclasses import dataclass, field

from .backup_result import BackupResult, all_absent
from .errors import AgentError
from .output import Done, progress
from .paths import in_snapshot, pattern
from .recorded import record
from .session import Session
from .sizes import readable

# restic's status for "a snapshot was made, but some of the source could not be read".
_INCOMPLETE = 3
_SILENCE = 15  # seconds without a word, in which people begin to wonder


@dataclass
class _Progress:
    """Takes restic's messages: tells a person now and then, keeps the summary."""

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
            self._tell(message)

    def _tell(self, message: dict[str, object]) -> None:
        percent = int(float(str(message.get("percent_done") or 0)) * 100)
        if percent // 10 > self.tenths or time.monotonic() - self.told_at > _SILENCE:
            self.tenths, self.told_at = percent // 10, time.monotonic()
            files, size = message.get("total_files") or 0, message.get("total_bytes") or 0
            progress(f"backing up: {percent} % of {files} files, {readable(int(str(size)))}")


def run(session: Session) -> Done:
    """Back up and report it to the portal."""
    session.prepare()
    result = back_up(session)
    text = f"Backed up {result.files} files, {readable(result.bytes)}: snapshot {result.snapshot[:8]}."
    return Done(
        " ".join(filter(None, [text, result.remark, result.remedy])),
        code=result.code,
        remedy=result.remedy,
        details=result.details,
    )


def back_up(session: Session) -> BackupResult:
    """One recorded backup to the writable repository."""
    return record(session, "backup", lambda: _back_up(session))


def excluded(session: Session) -> list[str]:
    """The agent's own folders: cache and keys are not worth a backup, and change all the time."""
    return [session.settings.cache_dir, str(session.home.folder.resolve())]


def _back_up(session: Session) -> BackupResult:
    there, absent = _present(session.settings.protect)
    restic = session.open_primary()
    arguments = ["backup", "--json", "--host", session.identity.name]
    for folder in excluded(session):
        arguments += ["--exclude", pattern(in_snapshot(folder))]
    watched = _Progress()
    ended = restic.run(*arguments, "--", *there, on_line=watched.line, accept=(0, _INCOMPLETE))
    summary = watched.summary
    return BackupResult(
        snapshot=_full_id(session, str(summary["snapshot_id"])),
        files=_number(summary, "total_files_processed"),
        bytes=_number(summary, "total_bytes_processed"),
        bytes_added=_number(summary, "data_added"),
        unreadable=_unreadable(ended.complaints) if ended.status == _INCOMPLETE else [],
        absent=absent,
    )


def _present(protect: list[str]) -> tuple[list[str], list[str]]:
    """What is there of what is to be protected, and what is not: restic passes over that and calls it done.

    AgentError `protect_missing` when nothing is there.
    """
    absent = [path for path in protect if not os.path.lexists(path)]
    if len(absent) == len(protect):
        raise all_absent(protect)
    for path in absent:
        progress(f"note: {path} is not there, so it will not be in this backup.")
    return [path for path in protect if path not in absent], absent


def _full_id(session: Session, given: str) -> str:
    """restic before 0.17 gives only the beginning of the new snapshot's id."""
    known = session.storage.names(session.primary, "snapshots")
    found = [name for name in known if name.startswith(given)]
    if len(found) != 1:
        raise AgentError(
            "snapshot_lost",
            f"restic says that it made snapshot {given}, but the storage does not have it.",
            "Run strongroom-agent backup again; if it repeats, tell the vault's people.",
        )
    return found[0]


def _number(summary: dict[str, object], name: str) -> int:
    return int(str(summary.get(name, 0)))


def _unreadable(complaints: list[str]) -> list[str]:
    """The items of restic's error messages; at least one, since it said that there are some."""
    items: list[str] = []
    for line in complaints:
        if line.startswith("{"):
            message = json.loads(line)
            if message.get("message_type") == "error":
                items.append(str(message.get("item") or "something"))
    return items or ["something that restic did not name"]
