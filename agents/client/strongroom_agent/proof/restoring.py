"""Running `restic restore`, and what its end is worth."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from strongroom_agent.core.errors import AgentError
from strongroom_agent.restic.errors import explain
from strongroom_agent.restic.item_complaints import Complaints
from strongroom_agent.restic.process import ANY, Ended, Restic
from strongroom_agent.restic.snapshots import Contents, Listed

_DIFFERS = "its content is not what the snapshot has"
_NOT_COMPARED = "its content was not compared with the snapshot"


@dataclass(frozen=True)
class Attempt:
    """What one restore has left unproven. With an `error` restic gave up or was not understood: nothing is proven."""

    failed: dict[str, str]  # path in the snapshot: what restic said about it
    attributes: dict[str, str]  # the content is proven, but not all of owner, mode, times, attributes is set
    error: AgentError | None = None
    doubtful: dict[str, str] = field(default_factory=dict)  # files that did not stand a second look, asked for or not
    seconds: float = 0.0  # how long it took, without opening the repository and without reading what was written

    def about(self, path: str) -> str | None:
        """Why a file is not proven, for its own sake or because a folder above it failed; None if nothing was said."""
        if path not in self.failed and path in self.doubtful:
            return self.doubtful[path]
        while path:
            if path in self.failed:
                return self.failed[path]
            path = path.rpartition("/")[0]
        return self.failed.get("/")


def restore(
    restic: Restic,
    found: Contents,
    include: list[str],
    folder: str,
    *,
    recent: bool,
    on_line: Callable[[str], None] | None = None,
) -> Attempt:
    """Restore a snapshot, or only what the patterns in `include` say, below a folder.

    restic reads each file that it wrote once more and compares it with the hashes that the snapshot recorded; where it
    has complained about anything it leaves that out, and is asked for it. An older one must be given a folder without
    any of it, since it writes through links.
    """
    arguments = ["restore", found.snapshot.id, "--target", folder, "--verify"]
    if recent:
        arguments += ["--json", "--sparse", "--overwrite", "always"]
    for each in include:
        arguments += ["--include", each]
    known = {"/", *(each.path for each in found.files), *(each.path for each in found.others)}
    heard, watch = Complaints(known, folder), _Watch(on_line)
    ended = restic.run(*arguments, on_line=watch.line, on_complaint=heard.take, accept=ANY)
    seconds = watch.seconds
    if not heard.certain(ended.status):
        return Attempt(heard.failed, heard.attributes, _why(heard, ended))
    if not (heard.items and recent):
        return Attempt(heard.failed, heard.attributes, seconds=seconds)
    return replace(_second_look(restic, found, include, folder, heard), seconds=seconds)


class _Watch:
    """How long restic restores, by its summary, which it gives before it reads what it wrote once more.

    It counts whole seconds from when the repository is open. We count from the start of the program, and never say less
    than it may have been: the one that is nearer counts. One that gives no summary is timed to its end.
    """

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._began = time.monotonic()
        self._on_line = on_line
        self._told: float | None = None

    def line(self, text: str) -> None:
        """Take one line of what restic says, and hand it on to whoever else listens."""
        if self._on_line:
            self._on_line(text)
        if '"summary"' not in text or not text.startswith("{"):
            return
        message = json.loads(text)
        if message.get("message_type") == "summary":
            self._told = min(self._elapsed, float(message.get("seconds_elapsed") or 0) + 1.0)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self._elapsed if self._told is None else self._told

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._began


def _why(heard: Complaints, ended: Ended) -> AgentError:
    """Why a restore that gave up, or was not understood, proves nothing."""
    error = explain("restore", ended.status, ended.complaints)
    if heard.unclear and error.code == "engine_failed":
        error = AgentError("engine_failed", f"restic restore: {heard.unclear[:400]}.", error.remedy)
    return error


def _second_look(restic: Restic, found: Contents, include: list[str], folder: str, first: Complaints) -> Attempt:
    """What a restore is worth that has complained about something: which files have the content of the snapshot?

    restic may leave a file as it was and complain of no more than its mode. What a dry run would leave unchanged it has
    compared, block by block; of a file with several names it looks at the first one only. Where the dry run itself
    gives up, as without the network, nothing is known of any file.
    """
    seen: Counter[tuple[str, str]] = Counter()

    def take(line: str) -> None:
        value = json.loads(line) if line.startswith("{") else {}
        if value.get("message_type") == "verbose_status":
            seen[str(value["action"]), str(value["item"])] += 1

    arguments = [
        "restore",
        found.snapshot.id,
        "--target",
        folder,
        "--overwrite",
        "always",
        "--dry-run",
        "--json",
        "-vv",
    ]
    for each in include:
        arguments += ["--include", each]
    heard = Complaints(first.known, folder)
    ended = restic.run(*arguments, on_line=take, on_complaint=heard.take, accept=ANY)
    if not heard.certain(ended.status):
        return Attempt(first.failed, first.attributes, _why(heard, ended))
    whole = [each for each in found.files if seen["unchanged", each.path] and not seen["updated", each.path]]
    paths, names = {each.path for each in whole}, {_names(each) for each in whole if each.inode}
    doubtful = {
        each.path: first.attributes.get(each.path, _DIFFERS if seen["updated", each.path] else _NOT_COMPARED)
        for each in found.files
        if each.path not in paths and (seen["updated", each.path] or _names(each) not in names)
    }
    attributes = {path: said for path, said in first.attributes.items() if path not in doubtful}
    return Attempt(first.failed, attributes, doubtful=doubtful)


def _names(file: Listed) -> tuple[int, int, int]:
    """What the names of one file have in common."""
    return file.inode, file.size, file.mtime_ns
