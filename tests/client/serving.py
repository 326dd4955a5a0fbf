"""The servers behind the agent's tests: the storage of all regions, and a test portal before it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .authority import Authority
from .peer import Peer


@dataclass(frozen=True)
class Storage:
    """The folder with all regions' data, and the socket of the rclone that serves it."""

    folder: Path
    rclone: Path


@contextmanager
def serving(authority: Authority, folder: Path, rclone: Path) -> Iterator[Peer]:
    """A test portal with a vault of its own, while it runs."""
    portal = Peer(authority, folder, rclone)
    server = portal.start()
    try:
        yield portal
    finally:
        server.shutdown()
        server.server_close()
