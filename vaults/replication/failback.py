"""Failback: what a vault's region has lost comes back from the paired one.

Machines delete nothing but index objects, and of those there are rows (vaults/trash/removals.py). So an object that
the pair has, the vault's region has not, and no row is about, was lost: with a disk, by a mistake, by somebody's hand.
"""

import logging

from django.db import transaction

from portal.core.actor import SYSTEM
from portal.events.event import happened
from vaults.integrity import losses, verify
from vaults.integrity.events import ObjectsReturned
from vaults.models import PairedCopy
from vaults.regions.storage.base import RegionStorage
from vaults.regions.storage.layout import CONFIG, Stored
from vaults.regions.storage.rclone import region_storage
from vaults.trash import removals

log = logging.getLogger(__name__)


def bring_back(copy: PairedCopy, batch: list[Stored]) -> None:
    """Copy to the vault's region those objects of the pair that match their names; audited, and its people told.

    `batch` lies in the pair, is of one machine, and was not in the vault's region when that was listed, before the
    pair was. What the pair has only damaged is set aside there: then no region has it. Raises StorageError.
    """
    lost = removals.removed_among([item.path for item in batch])
    pair, region = region_storage(copy.region), region_storage(copy.vault.region)
    # Nobody but the worker that holds the copy stores in the pair, and what it stores appears whole.
    found = verify.compare(pair, copy.region, [item for item in batch if item.path not in lost], uploads=False)
    paths = [item.path for item in found.genuine]
    if not paths:
        return
    # Only where there is none: a machine that is set up anew may be storing another config in this moment.
    gone = pair.copy_to(region, paths, keep=[path for path in paths if path.endswith(f"/{CONFIG}")])
    _take_away_again(region, paths)
    if brought := [item for item in found.genuine if item.path not in gone]:
        log.warning("Region %s had lost %s objects of %s.", region.slug, len(brought), batch[0].machine)
        _note_return(copy, brought)


def _take_away_again(region: RegionStorage, paths: list[str]) -> None:
    """What its machine removed while we brought it back goes where the machine had sent it."""
    for path in removals.removed_among(paths):
        removals.to_trash(region, path)


def _note_return(copy: PairedCopy, brought: list[Stored]) -> None:
    with transaction.atomic():
        losses.found_again(item.path for item in brought)
        happened(ObjectsReturned(copy.vault, copy.region, brought), actor=SYSTEM)
