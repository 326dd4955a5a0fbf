"""Probing: a small object is written to each region now and then, and read back, for `/health/ready` to tell."""

import logging

from django.utils import timezone

from portal.health import heartbeats
from vaults.models import Region
from vaults.regions import catalog
from vaults.regions.storage.base import StorageError
from vaults.regions.storage.rclone import region_storage

log = logging.getLogger(__name__)
PLACE = "strongroom/probe"
"""Beside the vaults, which are named by UUIDs."""


def probe() -> None:
    """Look at each region of the file and note its trouble, if it has one."""
    for region in Region.objects.filter(slug__in=catalog.places()):
        heartbeats.beat(f"region {region.slug}", trouble=_trouble(region))


def _trouble(region: Region) -> str:
    storage, content = region_storage(region), f"strongroom {timezone.now().isoformat()}".encode()
    try:
        storage.write(PLACE, content)
        found = storage.read(PLACE)
    except StorageError as error:
        log.warning("Region %s cannot be written and read: %s", region.slug, error)
        return str(error)
    return "" if found == content else f"{region} returned other data than was stored."
