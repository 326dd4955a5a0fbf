"""Where machines' objects lie in a region, and how they are named: restic's layout.

A machine's folder is `<vault uuid>/<machine uuid>`. In it are `config` and five folders of objects, each named by its
SHA-256; `data` has them in folders by the first two digits.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from vaults.regions.storage.base import RegionStorage

LOCKS = "locks"
KINDS = ("data", "index", "keys", LOCKS, "snapshots")
CONFIG = "config"
LEAST_CONFIG = 128
"""Bytes. Restic's is one encrypted JSON object of 155, of whatever version; what is far shorter was cut off."""
PACK = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DIGEST = re.compile(r"[0-9a-f]{64}")
PREFIX = re.compile(r"[0-9a-f]{2}")
BATCH_OBJECTS = 32
BATCH_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Stored:
    """An object: its path in the region, `size` in bytes, and when the storage last changed it."""

    path: str
    size: int
    modified: datetime

    @property
    def name(self) -> str:
        """The digest that it is named by; `config` has no digest."""
        return self.path.rpartition("/")[2]

    @property
    def machine(self) -> str:
        """The path of its machine's folder."""
        return "/".join(self.path.split("/")[:2])

    def plausible(self, digest: str) -> bool:
        """Whether an object of that digest may be what it is called; all that can be said of a config is its size."""
        return self.size >= LEAST_CONFIG if self.name == CONFIG else self.name == digest


@dataclass(frozen=True)
class Repository:
    """What lies in a machine's folder, locks left out."""

    config: Stored | None
    keys: list[Stored]
    data: list[Stored]
    index: list[Stored]
    snapshots: list[Stored]

    @cached_property
    def all(self) -> list[Stored]:
        """All of it, in the order in which it may be copied: nothing before what it refers to."""
        return [*([self.config] if self.config else []), *self.keys, *self.data, *self.index, *self.snapshots]

    @cached_property
    def paths(self) -> frozenset[str]:
        """The paths of all of it."""
        return frozenset(item.path for item in self.all)


def folders(storage: RegionStorage, path: str) -> list[str]:
    """Folders below `path` that are named by a UUID (vaults in the root, machines in a vault), sorted."""
    return sorted(entry.name for entry in storage.entries(path) if entry.is_folder and UUID.fullmatch(entry.name))


def config(storage: RegionStorage, machine: str) -> Stored | None:
    """The machine's `config`; None when it has none."""
    return stored(storage, f"{machine}/{CONFIG}")


def stored(storage: RegionStorage, path: str) -> Stored | None:
    """The object at that path; None when there is none."""
    found = storage.entry(path)
    return Stored(path, found.size, found.modified) if found else None


def repository(storage: RegionStorage, machine: str) -> Repository:
    """What lies in the machine's folder, given by its path, by a few flat listings.

    Snapshots and indexes are listed first: what they refer to was stored before them, and so is in the later listings.
    """
    snapshots, index = flat(storage, machine, "snapshots"), flat(storage, machine, "index")
    keys, data = flat(storage, machine, "keys"), flat(storage, machine, "data")
    return Repository(config(storage, machine), keys, data, index, snapshots)


def everything(storage: RegionStorage) -> Iterator[Stored]:
    """All objects of all machines, locks included, by a few flat listings of each machine."""
    for vault in folders(storage, ""):
        for number in folders(storage, vault):
            machine = f"{vault}/{number}"
            yield from repository(storage, machine).all
            yield from flat(storage, machine, LOCKS)


def flat(storage: RegionStorage, machine: str, kind: str) -> list[Stored]:
    """The objects of a kind, by one listing; names that restic does not make are left out."""
    root, named = f"{machine}/{kind}", PACK if kind == "data" else DIGEST
    found = (entry for entry in storage.tree(root) if named.fullmatch(entry.name))
    return [Stored(f"{root}/{entry.name}", entry.size, entry.modified) for entry in found]


def walk(storage: RegionStorage, after: str = "") -> Iterator[Stored]:
    """All objects of all machines behind the path `after`, in the order of their paths, read while going on.

    Folder by folder, for those who stop and go on later: a flat listing would begin anew each time.
    """
    for vault in _behind(folders(storage, ""), "", after):
        for machine in _behind(folders(storage, vault), f"{vault}/", after):
            yield from (item for item in _of_machine(storage, f"{vault}/{machine}", after) if item.path > after)


def _of_machine(storage: RegionStorage, machine: str, after: str) -> Iterator[Stored]:
    if found := config(storage, machine):
        yield found
    for kind in _behind(KINDS, f"{machine}/", after):
        for folder in objects(storage, machine, kind, after):
            yield from sorted(folder, key=lambda item: item.path)


def _behind(names: Iterable[str], parent: str, after: str) -> list[str]:
    """Those of the folders that may hold something behind `after`."""
    return [name for name in names if f"{parent}{name}" >= after[: len(parent) + len(name)]]


def objects(storage: RegionStorage, machine: str, kind: str, after: str = "") -> Iterator[list[Stored]]:
    """The objects of a kind, one list for each folder, read from the storage while going on.

    `machine` is the path of the machine's folder. Names that restic does not make are left out, and so are folders
    that lie before the path `after`.
    """
    root = f"{machine}/{kind}"
    if kind != "data":
        yield _named(storage, root)
        return
    names = sorted(entry.name for entry in storage.entries(root) if entry.is_folder and PREFIX.fullmatch(entry.name))
    for name in _behind(names, f"{root}/", after):
        yield _named(storage, f"{root}/{name}")


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
