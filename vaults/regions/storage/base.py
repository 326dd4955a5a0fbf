"""The storage interface: what the site needs from a region's storage, whatever the backend.

Paths are relative to the region's root and use `/`; what machines store lies under `<vault uuid>/<machine uuid>/`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class StorageError(Exception):
    """Storage did not do what it was asked; the message is a sentence for people and holds no secret."""


class StorageUnavailable(StorageError):
    """It may work later: no answer, too slow, or a trouble that is not known to be lasting."""


class StorageRefused(StorageError):
    """It will not work until somebody changes something: no permission, no space, no such remote."""


class ObjectMissing(StorageError):
    """There is no such object or folder."""


@dataclass(frozen=True)
class Entry:
    """What lies in a folder: `size` in bytes; `modified` as the storage says, aware."""

    name: str
    size: int
    modified: datetime
    is_folder: bool


@dataclass(frozen=True)
class Space:
    """Bytes in all, and bytes free."""

    total: int
    free: int


class RegionStorage(Protocol):
    """One region. All calls are bounded in time and raise StorageUnavailable or StorageRefused."""

    @property
    def slug(self) -> str:
        """The region's slug."""

    def make_container(self, path: str) -> None:
        """Make the folder or bucket; harmless when it exists."""

    def remove_container(self, path: str) -> None:
        """Remove the folder if it is empty; harmless when it is not there, or is no longer empty."""

    def write(self, path: str, data: bytes) -> None:
        """Store a small object, replacing what is there."""

    def read(self, path: str) -> bytes:
        """A small object (at most 64 KiB of it); raises ObjectMissing."""

    def delete(self, path: str) -> None:
        """Remove an object; harmless when it is not there."""

    def entries(self, path: str) -> list[Entry]:
        """What lies directly in the folder, in no order; empty when there is no such folder."""

    def tree(self, path: str) -> list[Entry]:
        """All objects below the folder, at whatever depth, named by their paths from it; empty when there is none."""

    def entry(self, path: str) -> Entry | None:
        """The object at the path; None when there is none."""

    def sha256(self, paths: Sequence[str]) -> dict[str, str]:
        """The digests (lower-case hexadecimal) of the objects as stored, left out for those that are gone."""

    def copy_to(self, other: "RegionStorage", paths: Iterable[str], *, keep: Collection[str] = ()) -> set[str]:
        """Copy objects to the same paths of `other`, each replacing what is there in one step, when it is whole.

        Those in `keep` replace nothing. Gives those that are gone here; a trouble names the region that has it.
        """

    def copy(self, path: str, to: str) -> None:
        """Copy an object within the region; raises ObjectMissing."""

    def move(self, path: str, to: str) -> None:
        """Move an object within the region; raises ObjectMissing."""

    def stores_whole(self) -> bool:
        """Whether uploads appear whole or not at all, as in object stores; a disk has halves of them."""

    def keeps_folders(self) -> bool:
        """Whether an empty folder stays, as on a disk; most object stores have none without objects in them."""

    def trouble(self, text: str, status: int) -> StorageError:
        """What the program that reaches the storage says of it, with an HTTP status, as an error that names it."""

    def space(self) -> Space | None:
        """How much there is and how much is free; None when the storage cannot tell."""
