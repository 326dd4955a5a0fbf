"""The command `backup`: one snapshot of what is protected."""

import json
import time
from dataclasses import dataclass, field

from .errors import AgentError
from .output import Done, progress
from .paths import in_snapshot, pattern
from .recorded import record
from .session import Session
from .sizes import readable

# restic's status for "a snapshot was made, but some of the source could not be read".
_INCOMPLETE = 3
_SHOWN = 20
_SILENCE = 15  # seconds without a word, in which people begin to wonder


@dataclass(frozen=True)
class BackupResult:
    """A snapshot that was made."""

    snapshot: str
    files: int
    bytes: int
    bytes_added: int
    unreadable: list[str]

    @property
    def figures(self) -> dict[str, object]:
        """What the portal and the JSON answer show."""
        return {
            "snapshot": self.snapshot,
            "files": self.files,
            "bytes": self.bytes,
            "bytes_added": self.bytes_added,
        }

    @property
    def failure(self) -> AgentError | None:
        """A snapshot that holds nothing although there were files to read is no backup."""
        if self.files or not self.unreadable:
            return None
        return AgentError(
            "nothing_readable",
            f"None of what is protected could be read, beginning with {self.unreadable[0]}.",
            "Run the agent as a user that may read it.",
        )

    @property
    def remark(self) -> str:
        """What could not be read, in a sentence; empty when all was read."""
        if not self.unreadable:
            return ""
        return f"{len(self.unreadable)} items could not be read, beginning with {self.unreadable[0]}."


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
        f"{text} {result.remark}".strip(),
        code="done_with_unreadable" if result.unreadable else "done",
        remedy="Run the agent as a user that may read everything." if result.unreadable else "",
        details=describe(result),
    )


def back_up(session: Session) -> BackupResult:
    """One recorded backup to the writable repository."""
    return record(session, "backup", lambda: _back_up(session))


def describe(result: BackupResult) -> dict[str, object]:
    """The result as JSON answers show it."""
    return {
        **result.figures,
        "unreadable": len(result.unreadable),
        "unreadable_first": result.unreadable[:_SHOWN],
    }


def excluded(session: Session) -> list[str]:
    """The agent's own folders: cache and keys are not worth a backup, and change all the time."""
    return [session.settings.cache_dir, str(session.home.folder.resolve())]


def _back_up(session: Session) -> BackupResult:
    restic = session.open_primary()
    arguments = ["backup", "--json", "--host", session.identity.name]
    for folder in excluded(session):
        arguments += ["--exclude", pattern(in_snapshot(folder))]
    watched = _Progress()
    ended = restic.run(*arguments, "--", *session.settings.protect, on_line=watched.line, accept=(0, _INCOMPLETE))
    summary = watched.summary
    return BackupResult(
        snapshot=_full_id(session, str(summary["snapshot_id"])),
        files=_number(summary, "total_files_processed"),
        bytes=_number(summary, "total_bytes_processed"),
        bytes_added=_number(summary, "data_added"),
        unreadable=_unreadable(ended.complaints) if ended.status == _INCOMPLETE else [],
    )


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
