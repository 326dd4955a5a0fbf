"""Object lock: whether a region's store has it, as its entry in the regions file says, and the bucket behind a region.

With it the store itself keeps each version of an object until a time that only ever moves forward: whoever holds the
region's own key, or all of the portal, deletes nothing.
"""

from collections.abc import Iterable
from datetime import timedelta

from django.utils import timezone

from vaults.models import Region
from vaults.regions import catalog
from vaults.regions.config_file import BadRegionsFile, Place
from vaults.regions.storage.base import StorageRefused, StorageUnavailable
from vaults.regions.storage.versions import Version, VersionedBucket, VersionLocked

PLACE = "strongroom/lock-probe"
PROBED = timedelta(minutes=5)
"""How long what the probe stores is locked."""


def bucket_of(region: Region) -> VersionedBucket | None:
    """The bucket that the region lies in; None where there is none whose versions could be asked for. No request."""
    place = catalog.places().get(region.slug)
    return None if place is None or not _has_bucket(place) else VersionedBucket(place, region.name)


def lock_days(region: Region) -> int:
    """For how many days the regions file says that the region's store locks objects; 0 for none. No request."""
    place = catalog.places().get(region.slug)
    return place.lock_days if place else 0


def locks(region: Region) -> bool:
    """Whether the region's store locks objects. No request."""
    return lock_days(region) > 0


def require(places: Iterable[Place]) -> list[str]:
    """Probe the store of each place that is said to lock objects; the troubles of those that do not answer now.

    Raises BadRegionsFile for one that has no object lock, or whose lock does not hold.
    """
    away = []
    for place in places:
        if place.lock_days:
            try:
                _probe(place)
            except StorageUnavailable as error:
                away.append(str(error))
    return away


def _probe(place: Place) -> None:
    """Store something locked, and try to delete it. Raises BadRegionsFile, StorageUnavailable."""
    bucket, until = VersionedBucket(place, place.name), timezone.now() + PROBED
    try:
        if not bucket.can_lock() or not bucket.keeps_versions():
            raise BadRegionsFile(
                f"Region {place.slug}: the bucket {place.bucket[0]} has no object lock. Make another with object lock"
                " enabled, which most stores allow at no later time, or remove object_lock from the region."
            )
        number = bucket.write_locked(PLACE, b"strongroom", until)
        written = Version(PLACE, number, 0, timezone.now(), latest=True, marker=False)
        bucket.erase(written)
    except VersionLocked:
        return
    except StorageRefused as error:
        raise BadRegionsFile(f"Region {place.slug}: {error} object_lock needs the right to lock objects.") from error
    raise BadRegionsFile(
        f"Region {place.slug}: the store of the bucket {place.bucket[0]} took an object with a lock and let it be"
        " deleted all the same, so its object lock protects nothing. Remove object_lock from the region."
    )


def _has_bucket(place: Place) -> bool:
    return place.config.get("type") == "s3" and bool(place.bucket[0])
