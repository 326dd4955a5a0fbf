"""Older versions that a store has kept: what was deleted or replaced in it, behind the portal's back, comes forward.

Whoever holds the region's own key can put a marker of deletion, or junk, on top of an object; where the bucket keeps
versions, the object is below. With object lock it is there for sure, without it as long as nobody erased it.
"""

import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from uuid import UUID

from vaults.models import Region, RemovedObject, SeenObject, Vault
from vaults.regions import object_lock
from vaults.regions.provider import Memory
from vaults.regions.storage import layout
from vaults.regions.storage.versions import Version, VersionedBucket
from vaults.trash import removals

KINDS = (layout.CONFIG, "keys", "data", "index", "snapshots")
"""The order in which they come forward: nothing is there before what it refers to."""


def bring_forward(
    region: Region, vault: Vault, machine: UUID, as_of: datetime, memory: Memory, *, until: float
) -> bool:
    """Have what the machine had stored by then, and never deleted, be in its place, until a time (time.monotonic).

    Whether that was all; else the next call goes on, by `memory`. Raises StorageError.
    """
    bucket = object_lock.bucket_of(region)
    if bucket is None or not bucket.keeps_versions():
        return True
    for number, kind in enumerate(KINDS):
        expected = _expected(f"{vault.pk}/{machine}", machine, kind, as_of)
        for folder, paths in groupby(expected, key=lambda path: path.rpartition("/")[0]):
            left = [path for path in paths if f"{number} {path}" > memory.get("uncovered", "")]
            versions = _versions(bucket, folder, kind) if left else {}
            for path in left:
                if time.monotonic() > until:
                    return False
                if _put_forward(bucket, path, versions.get(path, [])):
                    memory["returned"] = memory.get("returned", 0) + 1
                memory["uncovered"] = f"{number} {path}"
    return True


def _versions(bucket: VersionedBucket, folder: str, kind: str) -> dict[str, list[Version]]:
    """By path: of all objects directly in the folder, or of the one config in it."""
    config = f"{folder}/{layout.CONFIG}"
    found: Iterable[Version] = bucket.of(config) if kind == layout.CONFIG else bucket.below(folder)
    return {path: list(each) for path, each in groupby(found, key=lambda each: each.path)}


def from_versions(region: Region, paths: Iterable[str]) -> set[str]:
    """Bring these forward from what the region's store has kept of them, in their places or in the trash; those of
    which it has nothing that is whole. Raises StorageError."""
    lacking, bucket = set(paths), object_lock.bucket_of(region)
    if not lacking or bucket is None or not bucket.keeps_versions():
        return lacking
    return {path for path in lacking if not _from_anywhere(bucket, path)}


def _from_anywhere(bucket: VersionedBucket, path: str) -> bool:
    name, trashed = path.rpartition("/")[2], f"{removals.AREA}/{path}"
    there = [each for each in bucket.beginning_with(trashed) if removals.stored_name(each.path) == trashed]
    whole = _whole(bucket, [*bucket.of(path), *there], name)
    if whole is not None:
        bucket.bring_forward(whole, path)
    return whole is not None


def _expected(folder: str, machine: UUID, kind: str, as_of: datetime) -> Iterator[str]:
    """The paths of the machine's objects of a kind that were there then and that nobody has sent to the trash."""
    if kind == layout.CONFIG:
        yield f"{folder}/{kind}"
        return
    removed = RemovedObject.objects.filter(machine_id=machine, live_again=False, path__contains=f"/{kind}/")
    away = set(removed.values_list("path", flat=True))
    seen = SeenObject.objects.filter(machine_id=machine, kind=kind, first_seen_at__lte=as_of).order_by("name")
    for name in seen.values_list("name", flat=True):
        path = f"{folder}/{kind}/{name[:2]}/{name}" if kind == "data" else f"{folder}/{kind}/{name}"
        if path not in away:
            yield path


def _put_forward(bucket: VersionedBucket, path: str, versions: list[Version]) -> bool:
    """Bring the right version forward, where another one, or a marker, lies on top; whether one had to be."""
    if len(versions) < 2:  # there is nothing on top of it, or nothing below
        return False
    name = path.rpartition("/")[2]
    if name == layout.CONFIG:  # which has no digest for a name, and never changes: the first one is the right one
        plausible = [each for each in versions if not each.marker and each.size >= layout.LEAST_CONFIG]
        if not plausible:
            return False
        name = bucket.sha256(plausible[-1])
    if not versions[0].marker and bucket.sha256(versions[0]) == name:
        return False
    whole = _whole(bucket, versions, name)
    if whole is not None:
        bucket.bring_forward(whole, path)
    return whole is not None


def _whole(bucket: VersionedBucket, versions: Iterable[Version], digest: str) -> Version | None:
    return next((each for each in versions if not each.marker and bucket.sha256(each) == digest), None)
