"""The snapshots in a repository, and the files in one of them."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from strongroom_agent.core import times
from strongroom_agent.core.paths import in_snapshot

from .errors import explain, unknown_snapshot
from .process import Restic

_ID = re.compile(r"[0-9a-f]{1,64}|latest")
_IN_ONE_COMMAND = 10


@dataclass(frozen=True)
class Snapshot:
    """One backup: its full id, when it began, and what it covers."""

    id: str
    time: str
    paths: list[str]
    hostname: str
    files: int | None = None  # how many it has, and their bytes: None where the engine that made it did not note that
    bytes: int | None = None

    @property
    def began_ns(self) -> int:
        """The start of the backup, in nanoseconds since 1970."""
        return times.parse_nanoseconds(self.time)


@dataclass(frozen=True, slots=True)
class Listed:
    """A regular file as a snapshot has it. Bytes in `path` that are no text appear as U+FFFD."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int = 0  # 0 where the engine does not tell
    owner: tuple[int, int] | None = None  # user and group by number


@dataclass(frozen=True, slots=True)
class Other:
    """What is no regular file: `kind` is dir, symlink, fifo, dev, chardev or socket."""

    path: str
    kind: str
    owner: tuple[int, int] | None = None


Item = Listed | Other


@dataclass(frozen=True, slots=True)
class Contents:
    """A snapshot, its regular files, and everything else: folders, links, pipes."""

    snapshot: Snapshot
    files: list[Listed]
    others: list[Other]

    @property
    def items(self) -> Iterator[Item]:
        """All of it."""
        yield from self.files
        yield from self.others

    @property
    def roots(self) -> list[str]:
        """The paths that were backed up, as the listing spells them."""
        return [in_snapshot(path) for path in self.snapshot.paths]


def all_of(restic: Restic) -> list[Snapshot]:
    """The snapshots of a repository that can be read, oldest first; the caller knows how many there ought to be."""
    lines: list[str] = []
    ended = restic.run("snapshots", "--json", on_line=lines.append, accept=(0, 1))
    try:
        found = json.loads("".join(lines) or "null")
    except ValueError:
        found = None
    if ended.status and not found:
        raise explain("snapshots", ended.status, ended.complaints)
    return sorted((_snapshot(each) for each in found or []), key=lambda each: each.began_ns)


def contents(restic: Restic, wanted: str) -> Contents:
    """What is in a snapshot. `wanted` is an id, the beginning of one, or `latest`.

    AgentError `snapshot_unknown` when there is none.
    """
    if not _ID.fullmatch(wanted):
        raise unknown_snapshot()
    heads: list[Snapshot] = []
    files: list[Listed] = []
    others: list[Other] = []

    def take(line: str) -> None:
        node = json.loads(line)
        if node.get("struct_type") == "snapshot":
            heads.append(_snapshot(node))
        elif node.get("type") == "file":
            files.append(_listed(node))
        elif "path" in node:
            others.append(Other(str(node["path"]), str(node.get("type") or ""), _owner(node)))

    restic.run("ls", "--json", wanted, on_line=take)
    if len(heads) != 1:
        raise unknown_snapshot()
    return Contents(heads[0], files, others)


def _listed(node: dict[str, object]) -> Listed:
    return Listed(
        path=str(node["path"]),
        size=int(str(node.get("size", 0))),
        mtime_ns=times.parse_nanoseconds(str(node["mtime"])),
        ctime_ns=times.parse_nanoseconds(str(node["ctime"])),
        inode=int(str(node.get("inode", 0))),
        owner=_owner(node),
    )


def _owner(node: dict[str, object]) -> tuple[int, int] | None:
    user, group = node.get("uid"), node.get("gid")
    return (user, group) if isinstance(user, int) and isinstance(group, int) else None


def _snapshot(value: dict[str, object]) -> Snapshot:
    paths, summary = value.get("paths"), value.get("summary")
    figures = summary if isinstance(summary, dict) else {}
    return Snapshot(
        id=str(value["id"]),
        time=str(value["time"]),
        paths=[str(each) for each in paths] if isinstance(paths, list) else [],
        hostname=str(value.get("hostname", "")),
        files=_number(figures.get("total_files_processed")),
        bytes=_number(figures.get("total_bytes_processed")),
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def to_trash(machine: str, snapshots: Sequence[str]) -> str:
    """How snapshots leave the list for good: machines cannot delete any. All are IDs; of many, some are named."""
    named = " ".join(each[:8] for each in snapshots[:_IN_ONE_COMMAND])
    more = f", and so on for {len(snapshots) - _IN_ONE_COMMAND} more" if len(snapshots) > _IN_ONE_COMMAND else ""
    return (
        "An administrator can move snapshots that nobody needs to the trash: "
        f".venv/bin/python manage.py snapshots trash {machine} {named} --reason TEXT, in the folder of the portal's "
        f"sources{more}."
    )
