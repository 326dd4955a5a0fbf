"""Snapshots that stand in a machine's way: an administrator moves them to the trash, and back.

Machines cannot delete snapshots. Two kinds are of no use to anybody and stay for good without this: junk that somebody
stored with a stolen key, which makes `latest` undecidable, and snapshots of which something is lost in every region,
with which no check can pass. In the trash they keep their bytes; `put_back` undoes it.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from portal.core.actor import Actor
from portal.core.errors import DomainError, NotFound
from portal.events.event import happened
from vaults import copy_schedule
from vaults.integrity import losses
from vaults.integrity.events import SnapshotPutBack, SnapshotTrashed
from vaults.integrity.repair import other_region
from vaults.models import Region, RemovedObject, Vault
from vaults.regions.storage import layout
from vaults.regions.storage.rclone import region_storage
from vaults.trash import removals

ID = re.compile(r"[0-9a-f]{8,64}")
"""How restic shows a snapshot: the beginning of its digest, at least eight digits of it."""


class Ambiguous(DomainError):
    """More than one snapshot begins like this."""

    code = "ambiguous"


class NotWhole(DomainError):
    """What is in the trash is not what its name says, in any region."""

    code = "not_whole"


@dataclass(frozen=True)
class SnapshotObject:
    """A snapshot's object: `size` in bytes, its `path` in the region, and whether that is in the trash.

    `name` is the digest that it was stored under; in the trash, the path may end with a date behind it.
    """

    name: str
    path: str
    size: int
    modified: datetime
    region: Region
    trashed: bool


def of_machine(vault: Vault, machine_id: UUID) -> list[SnapshotObject]:
    """The objects of the machine's snapshots in all regions of the vault, oldest first. Raises StorageError."""
    found = []
    for region in _regions(vault):
        storage, machine = region_storage(region), f"{vault.pk}/{machine_id}"
        listed = layout.flat(storage, machine, "snapshots")
        found += [SnapshotObject(each.name, each.path, each.size, each.modified, region, False) for each in listed]
        folder = f"{removals.AREA}/{machine}/snapshots"
        for each in storage.entries(folder):
            name = removals.stored_name(each.name)
            if layout.DIGEST.fullmatch(name) and not each.is_folder:
                found.append(SnapshotObject(name, f"{folder}/{each.name}", each.size, each.modified, region, True))
    return sorted(found, key=lambda each: (each.modified, each.name, each.trashed))


def trash(vault: Vault, machine_id: UUID, snapshot: str, reason: str, *, actor: Actor) -> str:
    """Move the snapshot to the trash of each region that has it; gives its whole name.

    Safe to repeat when it was cut off. Audited, and the vault's members are told. Data that only this snapshot refers
    to stays stored. Raises NotFound, Ambiguous, StorageError.
    """
    name = _named(snapshot, [each for each in of_machine(vault, machine_id) if not each.trashed])
    path = _path(vault, machine_id, name)
    with transaction.atomic():
        values = {
            "vault": vault,
            "machine_id": machine_id,
            "removed_at": timezone.now(),
            "moved_at": None,
            "audited": True,
        }
        RemovedObject.objects.update_or_create(path=path, defaults=values)
        happened(SnapshotTrashed(vault, machine_id, name, reason), actor=actor)
    for region in _regions(vault):
        storage = region_storage(region)
        if storage.entry(path) is not None:
            removals.to_trash(storage, path)
    RemovedObject.objects.filter(path=path, moved_at=None).update(moved_at=timezone.now())
    losses.found_again([path])
    copy_schedule.schedule(vault.pk)
    return name


def put_back(vault: Vault, machine_id: UUID, snapshot: str, reason: str, *, actor: Actor) -> str:
    """Undo `trash`: move the snapshot back from the trash of each region that has it whole; gives its whole name.

    Copying brings it to the others. Safe to repeat when it was cut off. Audited, and the vault's members are told.
    Raises NotFound, Ambiguous, StorageError, and NotWhole when no region has it whole, before anything is changed.
    """
    trashed = [each for each in of_machine(vault, machine_id) if each.trashed]
    name = _named(snapshot, trashed, "in the trash")
    path = _path(vault, machine_id, name)
    whole = {region: _whole(region, path, trashed) for region in _regions(vault)}
    if not any(whole.values()):
        raise NotWhole(f"No region has snapshot {name[:16]} whole: what is in the trash was damaged. Nothing changed.")
    with transaction.atomic():
        RemovedObject.objects.filter(path=path).delete()
        happened(SnapshotPutBack(vault, machine_id, name, reason), actor=actor)
    for region, places in whole.items():
        if places and path not in places:
            storage = region_storage(region)
            if storage.entry(path) is not None:  # junk that was stored under the name since
                removals.to_trash(storage, path)
            storage.move(places[0], path)
    copy_schedule.schedule(vault.pk)
    return name


def _whole(region: Region, path: str, trashed: list[SnapshotObject]) -> list[str]:
    """Where the region has the snapshot of that path as it was stored: there, or in the trash."""
    name = path.rpartition("/")[2]
    places = [path, *sorted(each.path for each in trashed if each.region == region and each.name == name)]
    digests = region_storage(region).sha256(places)
    return [place for place in places if digests.get(place) == name]


def _regions(vault: Vault) -> list[Region]:
    other = other_region(vault, vault.region)
    return [vault.region, *([other] if other else [])]


def _path(vault: Vault, machine_id: UUID, name: str) -> str:
    return f"{vault.pk}/{machine_id}/snapshots/{name}"


def _named(snapshot: str, among: list[SnapshotObject], where: str = "stored") -> str:
    """The whole name of the one snapshot that begins like this."""
    if not ID.fullmatch(snapshot):
        raise NotFound("A snapshot is named by the first 8 to 64 digits (0-9, a-f) of its ID.")
    names = sorted({each.name for each in among if each.name.startswith(snapshot)})
    if not names:
        raise NotFound(f"No snapshot of this machine that is {where} has an ID that begins with {snapshot}.")
    if len(names) > 1:
        raise Ambiguous(f"{len(names)} snapshots begin with {snapshot}. Give more digits: {', '.join(names)}.")
    return names[0]
