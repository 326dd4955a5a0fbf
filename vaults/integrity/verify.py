"""Integrity: an object that is not what its name says is set aside, and its people are told.

A gateway killed in mid-upload leaves half an object under its final name, a hostile machine can store junk under any,
and disks forget; machines may not repair it, since they cannot delete. What is set aside lies under `quarantine/` in
the same region, out of reach of every machine. Where the paired region has the object whole, it is put back from there;
else the machine may store it again. See docs/storage-integrity.md for what is found when.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import SYSTEM
from portal.events.event import happened
from vaults.integrity import losses, repair
from vaults.integrity.events import ObjectLost
from vaults.models import Region, Vault
from vaults.regions.storage import layout
from vaults.regions.storage.base import ObjectMissing, RegionStorage
from vaults.regions.storage.layout import Stored
from vaults.regions.storage.rclone import region_storage

log = logging.getLogger(__name__)
AREA = "quarantine"
SETTLED = timedelta(hours=1)
"""An object that changed this recently may be in the middle of an upload: it is no match yet, but not junk either."""


@dataclass(frozen=True)
class Findings:
    """Objects that may be what they are called, and objects that were not and were set aside."""

    genuine: list[Stored]
    set_aside: list[Stored]


def compare(storage: RegionStorage, region: Region, batch: list[Stored], *, uploads: bool) -> Findings:
    """Compare the objects with their names, set aside those that differ, and put back what the pair has whole.

    With `uploads`, those that changed a short while ago are left alone when they differ: they may be uploads under way.
    Without, nobody can be uploading (the gateway is down), so age says nothing. Raises StorageError.
    """
    digests = storage.sha256([item.path for item in batch])
    youngest = timezone.now() - SETTLED
    there = [item for item in batch if item.path in digests]
    different = [
        item for item in there if not item.plausible(digests[item.path]) and not (uploads and item.modified > youngest)
    ]
    for item in different:
        set_aside(storage, region, item, digests[item.path])
    return Findings([item for item in there if item.plausible(digests[item.path])], different)


def set_aside(storage: RegionStorage, region: Region, item: Stored, digest: str) -> None:
    """Replace the object by the pair's, or move it out of its machine's folder; audited, and told to its people.

    The entry is written first, and no transaction is open while the storage works. Whoever is killed in between, or
    finds the storage away, leaves the object in its place, to be found and entered again. Raises StorageError.
    """
    vault = Vault.objects.select_related("subscription").filter(pk=UUID(item.path.split("/")[0])).first()
    place = f"{AREA}/{item.path}.{timezone.now():%Y%m%dT%H%M%S%f}"
    log.warning("Region %s: %s is not what its name says and is set aside.", region.slug, item.path)
    detail = {"region": region.slug, "object": item.path, "sha256": digest, "size": item.size, "moved_to": place}
    record(Action.OBJECT_QUARANTINE, actor=SYSTEM, target=vault, detail=detail)
    try:
        if vault is not None:
            if repair.replaced(vault, storage, region, item, keep=place):
                return
            with transaction.atomic():
                losses.note(vault, region, item)
                happened(ObjectLost(vault, region, item), actor=SYSTEM)
        storage.move(item.path, place)
    except ObjectMissing:
        log.info("Region %s: %s is gone already.", region.slug, item.path)


def check_region(region: Region, *, since: datetime | None) -> tuple[int, int]:
    """Compare the region's objects (changed at or after `since`, or all) with their names; sets aside what differs.

    Gives how many were compared, and how many set aside. Only while no gateway of the region runs. A store in which
    uploads appear whole or not at all has nothing to look for `since` a time. Raises StorageError.
    """
    storage = region_storage(region)
    compared = set_aside = 0
    if since is not None and storage.stores_whole():
        return compared, set_aside
    changed = (item for item in layout.everything(storage) if since is None or item.modified >= since)
    for batch in layout.batches(changed):
        findings = compare(storage, region, batch, uploads=False)
        compared += len(batch)
        set_aside += len(findings.set_aside)
    return compared, set_aside
