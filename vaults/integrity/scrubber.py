"""Scrubbing: all objects of a region, copies of other regions' vaults included, are compared with their names.

In slices that several tasks share, at no more than SCRUB_BYTES_A_SECOND on average: backups come first.
"""

import time

from django.conf import settings

from portal.core import leases
from vaults.integrity import repair, scrub_schedule, verify
from vaults.models import Scrub, Vault
from vaults.regions.storage import layout
from vaults.regions.storage.base import RegionStorage, StorageError
from vaults.regions.storage.layout import CONFIG, Stored
from vaults.regions.storage.rclone import region_storage

SLICE = 30  # seconds' worth of bytes in one task, which it may read faster
LONGEST = 60  # seconds of one task


def run(scrub_id: int) -> None:
    """Make one slice: afterwards the walk is complete, or due again, or somebody else's."""
    leases.run(scrub_schedule.claim(scrub_id), _slice, trouble=StorageError, on_trouble=scrub_schedule.record_failure)


def _slice(scrub: Scrub) -> None:
    storage = region_storage(scrub.region)
    began, spent = time.monotonic(), 0
    for batch in layout.batches(layout.walk(storage, scrub.done_to)):
        spent += _compare(scrub, storage, batch)
        took = time.monotonic() - began
        if took > LONGEST or spent >= SLICE * settings.SCRUB_BYTES_A_SECOND:
            scrub_schedule.pause(scrub, seconds=max(0, spent / settings.SCRUB_BYTES_A_SECOND - took))
            return
    scrub_schedule.mark_complete(scrub)


def _compare(scrub: Scrub, storage: RegionStorage, batch: list[Stored]) -> int:
    """One batch; gives its size in bytes. Raises StorageError, LeaseLost."""
    findings = verify.compare(storage, scrub.region, batch, uploads=True)
    for item in findings.genuine:
        if item.name == CONFIG and (vault := _vault_of(item)):
            repair.compare_configs(vault, scrub.region, item)
    size = sum(item.size for item in batch)
    scrub_schedule.save_progress(
        scrub, to=batch[-1].path, objects=len(batch), size=size, set_aside=len(findings.set_aside)
    )
    return size


def _vault_of(item: Stored) -> Vault | None:
    return Vault.objects.select_related("subscription").filter(pk=item.path.split("/")[0]).first()
