"""How much space the regions have: measured now and then, so that nobody who needs to know it asks the storage."""

import logging

from vaults.models import Region
from vaults.regions.storage.base import StorageError
from vaults.regions.storage.rclone import region_storage

log = logging.getLogger(__name__)


def measure() -> None:
    """Note for each region that is switched on how many bytes it has and how many are free.

    A storage that does not answer keeps its last figures; one that cannot tell has none, and no reserve either.
    """
    for region in Region.objects.filter(enabled=True):
        try:
            space = region_storage(region).space()
        except StorageError as error:
            log.warning("The space of %s cannot be measured: %s", region, error)
            continue
        free, total = (space.free, space.total) if space else (None, None)
        Region.objects.filter(pk=region.pk).update(free_bytes=free, total_bytes=total)
