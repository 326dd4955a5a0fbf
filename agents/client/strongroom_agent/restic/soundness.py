"""What restic's own check finds in a repository, and which files of which snapshots are lost for good."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import explain
from .process import ANY, Restic

_ERRORS_FOUND = "repository contains errors"
_SNAPSHOT = re.compile(r"^snapshot ([0-9a-f]{8,64}) of ")
_ADDED = re.compile(r"^adding pack file to index ([0-9a-f]{64})")
_CHANGED = re.compile(r"^would (?:save new|delete empty) snapshot")
_LOST = re.compile(r'^ +(?:file|dir) "(.*)": ')


@dataclass(frozen=True)
class Findings:
    """The errors that a check told, and the packs in which it found damage when it read all data."""

    errors: list[str]
    broken: list[str]

    @property
    def digest(self) -> str:
        """Tells whether two checks have found the same."""
        return hashlib.sha256("\n".join(sorted(self.errors)).encode()).hexdigest()


def look(restic: Restic, *, read_data: bool = False) -> Findings:
    """Check a repository, from the storage and not from the cache. AgentError when that cannot be done."""
    printed: list[str] = []
    options = ["--read-data"] if read_data else []
    ended = restic.run("check", "--json", *options, on_line=printed.append, accept=(0, 1))
    messages: list[dict[str, Any]] = [found for line in [*printed, *ended.complaints] if (found := _object(line))]
    errors = [str(each.get("message", "")).strip() for each in messages if each.get("message_type") == "error"]
    if ended.status and not any(_ERRORS_FOUND in line for line in ended.complaints):
        raise explain("check", ended.status, ended.complaints)
    packs = [each["broken_packs"] for each in messages if isinstance(each.get("broken_packs"), list)]
    told = [each for each in errors if not _is_advice(each)]
    return Findings(told or (errors if ended.status else []), [str(name) for names in packs for name in names])


def rebuild_index(restic: Restic) -> list[str]:
    """Make the index name all packs that are there; the names of those that it did not name before."""
    printed: list[str] = []
    restic.run("repair", "index", on_line=printed.append, on_complaint=printed.append)
    return [found[1] for line in printed if (found := _ADDED.search(line))]


def salvage(restic: Restic, packs: Iterable[str]) -> None:
    """Move what is whole in damaged packs to new ones. What is not whole is lost to the index from then on."""
    names = sorted(packs)
    copies = [Path(restic.connection.temp_dir, f"pack-{name}") for name in names]
    try:
        restic.run("repair", "packs", *names, accept=ANY)  # it ends badly since it cannot delete packs here
    finally:
        for copy in copies:  # restic's own, of no use to us; it would not save the same pack a second time beside one
            copy.unlink(missing_ok=True)


def lost(restic: Restic) -> dict[str, list[str]]:
    """For each snapshot that is not whole, by the beginning of its id: the files and folders that it lacks.

    restic says what `repair snapshots` would cut out; nothing is changed. It looks at each folder once: what several
    snapshots lack is named with the first of them, which alone has all that it lacks, and another may have no names.
    """
    found: dict[str, list[str]] = {}
    snapshot, paths = "", list[str]()
    lines: list[str] = []
    restic.run("repair", "snapshots", "--dry-run", on_line=lines.append)
    for line in lines:
        if head := _SNAPSHOT.match(line):
            snapshot, paths = head[1][:8], []
        elif gone := _LOST.match(line):
            paths.append(gone[1])
        if snapshot and (paths or _CHANGED.match(line)):
            found[snapshot] = paths
    return found


def _is_advice(message: str) -> bool:
    """restic sends its suggestions as errors too; they name commands that lose data."""
    return message.startswith(("The repository ", "restic repair", "Damaged pack files can"))


def _object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
