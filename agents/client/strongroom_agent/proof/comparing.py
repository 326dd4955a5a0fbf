"""Comparing restored files with their source, byte for byte."""

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from strongroom_agent.core.paths import in_snapshot, of_machine
from strongroom_agent.restic.snapshots import Listed


class Readable(Protocol):
    """What gives bytes when asked; fewer than asked for in a pipe, none at the end."""

    def read(self, size: int, /) -> bytes: ...


class Measured:
    """A stream that knows how much of it was read, the SHA-256 of that, and when the first of it came."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self._since: float | None = None
        self.size = 0

    def read(self, size: int, /) -> bytes:
        """As that of the stream."""
        part = self._stream.read(size)
        if self._since is None:
            self._since = time.monotonic()
        self._hash.update(part)
        self.size += len(part)
        return part

    @property
    def seconds(self) -> float:
        """The time since its first part came."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def to_end(self) -> str:
        """Read what is left; the SHA-256 of everything, in hexadecimal."""
        while self.read(_CHUNK):
            pass
        return self._hash.hexdigest()


@dataclass(frozen=True, slots=True)
class Proven:
    """A file that came back as the snapshot recorded it, and the SHA-256 of its content."""

    file: Listed
    sha256: str


_CHUNK = 1 << 20
_SHOWN = 20


@dataclass
class Tally:
    """What the comparison has found so far.

    `files` have the content that the snapshot recorded, `compared` counts those equal to the source, byte for byte.
    `mismatched` are files that did not come back, or that differ from a source that stood still.
    """

    files: list[Proven] = field(default_factory=list)
    compared: int = 0
    compared_bytes: int = 0
    changed: int = 0
    gone: int = 0  # of the changed ones: not there any more
    mismatched: list[str] = field(default_factory=list)

    @property
    def proven(self) -> int:
        """How many files are proven."""
        return len(self.files)

    def equal(self, size: int) -> None:
        """A file came back as it is."""
        self.compared += 1
        self.compared_bytes += size

    def differs(self, source: str, listed: Listed, began_ns: int) -> None:
        """A file is not as it was stored: its own doing if it was changed since, else a failure."""
        if changed_since(source, listed, began_ns):
            self.changed += 1
            self.gone += not os.path.lexists(source)
        else:
            self.mismatched.append(source)

    @property
    def first_mismatched(self) -> list[str]:
        """Some names to begin looking with."""
        return self.mismatched[:_SHOWN]


def compare_tree(scratch: str, files: list[Listed], failed: Mapping[str, str], began_ns: int, tally: Tally) -> None:
    """Compare every one of `files`, restored below `scratch`, with the file of this machine. Those in `failed` are
    not proven to be what the snapshot recorded.

    The names are taken from the restored tree, not from the listing, which cannot spell all of them.
    """
    expected: dict[str, list[Listed]] = {}
    for each in files:
        expected.setdefault(each.path, []).append(each)
    for restored in _regular_files(scratch):
        source = of_machine(os.path.relpath(restored, scratch))
        path = in_snapshot(source)
        entries = expected.get(path)
        if not entries or path in failed:
            continue
        size = os.lstat(restored).st_size
        entry = next((each for each in entries if each.size == size), None)
        if entry is not None:
            entries.remove(entry)
            compare_file(restored, source, entry, began_ns, tally)
    for entries in expected.values():
        for entry in entries:  # in the snapshot, asked for, and not restored or not proven
            tally.mismatched.append(entry.path)


def compare_file(restored: str, source: str, listed: Listed, began_ns: int, tally: Tally) -> None:
    """Compare one restored file, which is proven, with its source."""
    with open(restored, "rb") as copy:
        read = Measured(copy)
        compare_stream(read, source, listed, began_ns, tally)
        tally.files.append(Proven(listed, read.to_end()))


def compare_stream(copy: Readable, source: str, listed: Listed, began_ns: int, tally: Tally) -> None:
    """Compare what a stream yields with a file of this machine; the caller knows whether it came to its end."""
    size = _equal_size(copy, source)
    if size is not None and size == listed.size:
        tally.equal(size)
    else:
        tally.differs(source, listed, began_ns)


def changed_since(source: str, listed: Listed, began_ns: int) -> bool:
    """Whether the file was touched, replaced or removed after the snapshot had begun.

    The change time is kept by the system, so a program that sets times back does not hide a change.
    """
    try:
        status = os.lstat(source)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode) or status.st_size != listed.size:
        return True
    return status.st_mtime_ns != listed.mtime_ns or status.st_ctime_ns >= began_ns


def _equal_size(copy: Readable, source: str) -> int | None:
    """The size of both if they are equal; None if they differ or the source cannot be read."""
    try:
        handle = os.open(source, _read_only_flags())
    except OSError:
        return None
    with os.fdopen(handle, "rb") as original:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        size = 0
        while True:
            ours, theirs = _read(original), _read(copy)
            if ours != theirs:
                return None
            if not ours:
                return size
            size += len(ours)


def _read(file: Readable) -> bytes:
    """A full chunk: a pipe may give less than it was asked for."""
    parts: list[bytes] = []
    missing = _CHUNK
    while missing and (part := file.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _read_only_flags() -> int:
    """Never follow a link or wait for a pipe that has taken the place of the file."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
    return flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def _regular_files(scratch: str) -> Iterator[str]:
    """The regular files of a restored tree; modes that keep even us out are opened up first."""
    for folder, folders, names in os.walk(scratch):
        for name in folders:
            _open_up(os.path.join(folder, name), 0o700)
        for name in names:
            path = os.path.join(folder, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                _open_up(path, 0o600)
                yield path


def _open_up(path: str, mode: int) -> None:
    status = os.lstat(path)
    if not stat.S_ISLNK(status.st_mode) and status.st_mode & mode != mode:
        os.chmod(path, status.st_mode | mode)
