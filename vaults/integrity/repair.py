"""Mending: a geo-redundant vault has each object twice, so what is damaged in one region comes back from the other."""

import logging

from django.db import transaction

from portal.core.actor import SYSTEM
from portal.events.event import happened
from vaults.integrity import losses
from vaults.integrity.events import CopyDiffers, ObjectRepaired
from vaults.models import PairedCopy, Redundancy, Region, Vault
from vaults.regions.storage import layout
from vaults.regions.storage.base import ObjectMissing, RegionStorage, StorageError
from vaults.regions.storage.layout import CONFIG, Stored
from vaults.regions.storage.rclone import region_storage
from vaults.trash import removals

log = logging.getLogger(__name__)


def other_region(vault: Vault, region: Region) -> Region | None:
    """Where else the vault's objects are, seen from `region`; None for a vault without a copy."""
    copies = PairedCopy.objects.select_related("region", "vault__region")
    copy = copies.filter(vault=vault, vault__redundancy=Redundancy.GEO).first()
    if copy is None:
        return None
    others = {copy.region_id: copy.vault.region, copy.vault.region_id: copy.region}
    return others.get(region.pk)


def replaced(vault: Vault, storage: RegionStorage, region: Region, item: Stored, *, keep: str) -> bool:
    """Put the other region's object in the place of the damaged one, a copy of which is kept at `keep`.

    False when there is no other that is whole, or it cannot be had. The damaged one keeps its place until the other
    takes it in one step, so that whoever is killed in between leaves it to be found again: nothing would ever look for
    an object that is missing. Audited, and told. Raises ObjectMissing when it is gone already.
    """
    other = _spare(vault, region, item)
    if other is None:
        return False
    try:
        storage.copy(item.path, keep)
        if region_storage(other).copy_to(storage, [item.path]):
            return False  # gone there, too
        if removals.removed_among([item.path]):  # its machine was faster
            removals.to_trash(storage, item.path)
    except ObjectMissing:
        raise
    except StorageError as error:
        log.warning("Region %s: %s cannot be put back: %s", region.slug, item.path, error)
        return False
    with transaction.atomic():
        losses.found_again([item.path])
        happened(ObjectRepaired(vault, region, other, item), actor=SYSTEM)
    return True


def compare_configs(vault: Vault, region: Region, item: Stored) -> bool:
    """Whether the other region's `config` is the same, as far as it can be asked; a difference is audited, and told."""
    other = other_region(vault, region)
    if other is None:
        return True
    try:
        digests = [region_storage(each).sha256([item.path]).get(item.path) for each in (region, other)]
    except StorageError as error:
        log.warning("The two copies of %s cannot be compared: %s", item.path, error)
        return True
    if None in digests or digests[0] == digests[1]:
        return True
    with transaction.atomic():
        happened(CopyDiffers(vault, region, other, item, digests), actor=SYSTEM)
    return False


def _spare(vault: Vault, region: Region, item: Stored) -> Region | None:
    """The region that has the object whole; None when there is none, or it does not answer."""
    other = other_region(vault, region)
    try:
        return other if other and _whole(region_storage(other), item) else None
    except StorageError as error:
        log.warning("The other copy of %s cannot be asked for: %s", item.path, error)
        return None


def _whole(storage: RegionStorage, item: Stored) -> bool:
    if item.name == CONFIG:
        found = layout.config(storage, item.machine)
        return found is not None and found.plausible("")
    return storage.sha256([item.path]).get(item.path) == item.name
