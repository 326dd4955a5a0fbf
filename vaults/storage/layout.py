"""Where machines' objects lie in a region, and how they are named: restic's layout.

A machine's folder is `<vault uuid>/<machine uuid>`. In it are `config` and five folders of objects, each named by its
SHA-256; `data` has them in folders by the first two digits.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from vaults.storage.base import RegionStorage

KINDS = ("keys", "data", "index", "snapshots", "locks")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DIGEST = re.compile(r"[0-9a-f]{64}")
PREFIX = re.compile(r"[0-9a-f]{2}")
BATCH_OBJECTS = 32
BATCH_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Stored:
    """An object named by its digest: its path in the region, `size` in bytes, and when the storage last changed it."""

    path: str
    size: int
    modified: datetime

    @property
    def name(self) -> str:
        """The digest that it is named by."""
        return self.path.rpartition("/")[2]


def folders(storage: RegionStorage, path: str) -> list[str]:
    """Folders below `path` that are named by a UUID (vaults in the root, machines in a vault), sorted."""
    return sorted(entry.name for entry in storage.entries(path) if entry.is_folder and UUID.fullmatch(entry.name))


def config_size(storage: RegionStorage, machine: str) -> int | None:
    """The size of the machine's `config`; None when it has none."""
    return next((entry.size for entry in storage.entries(machine) if entry.name == "config"), None)


def objects(storage: RegionStorage, machine: str, kind: str) -> Iterator[list[Stored]]:
    """The objects of a kind, one list for each folder, read from the storage while going on.

    `machine` is the path of the machine's folder. Names that restic does not make are left out.
    """
    root = f"{machine}/{kind}"
    if kind != "data":
        yield _named(storage, root)
        return
    for entry in sorted(storage.entries(root), key=lambda entry: entry.name):
        if entry.is_folder and PREFIX.fullmatch(entry.name):
            yield _named(storage, f"{root}/{entry.name}")


def batches(found: Iterable[Stored]) -> Iterator[list[Stored]]:
    """The same in portions small enough to hash or copy within one bounded call (a larger object goes alone)."""
    batch: list[Stored] = []
    size = 0
    for item in found:
        if batch and (len(batch) >= BATCH_OBJECTS or size + item.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item.size
    if batch:
        yield batch


def _named(storage: RegionStorage, folder: str) -> list[Stored]:
    return [
        Stored(f"{folder}/{entry.name}", entry.size, entry.modified)
        for entry in storage.entries(folder)
        if not entry.is_folder and DIGEST.fullmatch(entry.name)
    ]
