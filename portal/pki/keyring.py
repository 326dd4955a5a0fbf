"""The file with the portal's own keys and CAs: `$STRONGROOM_DATA/pki/keys.json`, mode 0600, every key in it sealed.

One file, so that a rotation, the end of one, or another sealing key is one renaming: whenever a process dies, the file
is the old one or the new one, whole. A *generation* is a root with the two issuing CAs under it; while one is being
replaced there are two.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from portal.core import files

NAME = "keys.json"


@dataclass(frozen=True)
class StoredCA:
    """A CA's certificate (PEM) and its sealed key."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Generation:
    """A root and its issuing CAs. `number` counts from 1, `since` is when it was made (RFC 3339)."""

    number: int
    since: str
    root: StoredCA
    edge: StoredCA
    clients: StoredCA

    @property
    def made_at(self) -> datetime:
        """When it was made, which is when everybody began to trust it."""
        return datetime.fromisoformat(self.since)


@dataclass(frozen=True)
class Keyring:
    """All that the file holds. `signing` is the sealed key that signs credential files and agent packages."""

    signing: str
    current: Generation
    previous: Generation | None = None

    @property
    def generations(self) -> list[Generation]:
        """Those that are trusted, the newest first."""
        return [self.current, *([self.previous] if self.previous is not None else [])]


def read() -> Keyring | None:
    """The keyring as it is now, from memory when the file has not changed; None before the first one is made."""
    path = _path()
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return _parsed(path, state.st_ino, state.st_mtime_ns)


def create(keyring: Keyring) -> None:
    """Store the first keyring, unless another process has stored one meanwhile: then that one is it."""
    path = _path()
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    files.create(path, _content(keyring))


def replace(keyring: Keyring, announce: Callable[[], object]) -> None:
    """Store `keyring` in place of the one there is. Call it inside `changing()`.

    `announce` is called when the new file lies ready and only its name is missing; if it raises, nothing changes.
    """
    path = _path()
    for left in path.parent.glob(f".{NAME}-*"):
        left.unlink()  # of a process that died here; it may hold what was replaced since
    with files.draft(path, _content(keyring)) as written:
        announce()
        os.rename(written, path)
    files.sync(path.parent)


@contextmanager
def changing() -> Iterator[None]:
    """Keep other changes waiting until the block ends. Readers, and the very first making, are not held up."""
    place = _path().parent
    place.mkdir(parents=True, mode=0o700, exist_ok=True)
    folder = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _content(keyring: Keyring) -> str:
    return json.dumps(asdict(keyring), indent=1)


def _path() -> Path:
    return Path(settings.PKI) / NAME


@lru_cache(maxsize=4)
def _parsed(path: Path, inode: int, changed: int) -> Keyring:
    content: dict[str, Any] = json.loads(path.read_text())
    previous = content["previous"]
    return Keyring(
        signing=content["signing"],
        current=_generation(content["current"]),
        previous=None if previous is None else _generation(previous),
    )


def _generation(content: dict[str, Any]) -> Generation:
    cas = {name: StoredCA(**content[name]) for name in ("root", "edge", "clients")}
    return Generation(number=content["number"], since=content["since"], **cas)
