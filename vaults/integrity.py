"""Integrity: an object that does not match its name is set aside, and its people are told.

A gateway killed in mid-upload leaves half an object under its final name, and a hostile machine can store junk under
any; machines may not repair it, since they cannot delete. What is set aside lies under `quarantine/` in the same
region, out of reach of every machine, and the machine may store the object again.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from portal.accounts.actors import SYSTEM
from portal.audit.record import record
from portal.notifications.models import Notification
from portal.notifications.publish import publish
from vaults.models import Region, Vault
from vaults.storage import layout
from vaults.storage.base import ObjectMissing, RegionStorage
from vaults.storage.layout import Stored
from vaults.storage.rclone import region_storage

log = logging.getLogger(__name__)
AREA = "quarantine"
SETTLED = timedelta(hours=1)
"""An object that changed this recently may be in the middle of an upload: it is no match yet, but not junk either."""


@dataclass(frozen=True)
class Findings:
    """Objects that match their names, and objects that did not and were set aside."""

    genuine: list[Stored]
    set_aside: list[Stored]


def compare(storage: RegionStorage, region: Region, batch: list[Stored], *, uploads: bool) -> Findings:
    """Compare the objects with their names, and set aside those that differ.

    With `uploads`, those that changed a short while ago are left alone when they differ: they may be uploads under way.
    Without, nobody can be uploading (the gateway is down), so age says nothing. Raises StorageError.
    """
    digests = storage.sha256([item.path for item in batch])
    youngest = timezone.now() - SETTLED
    different = [
        item
        for item in batch
        if digests.get(item.path, item.name) != item.name and not (uploads and item.modified > youngest)
    ]
    for item in different:
        set_aside(storage, region, item, digests[item.path])
    return Findings([item for item in batch if digests.get(item.path) == item.name], different)


def set_aside(storage: RegionStorage, region: Region, item: Stored, digest: str) -> None:
    """Move the object out of its machine's folder; audited, and told to the vault's people, in one transaction."""
    vault_id, machine_id = item.path.split("/")[:2]
    vault = Vault.objects.select_related("subscription").filter(pk=UUID(vault_id)).first()
    place = f"{AREA}/{item.path}.{timezone.now():%Y%m%dT%H%M%S%f}"
    log.warning("Region %s: %s does not match its name and is set aside.", region.slug, item.path)
    try:
        with transaction.atomic():
            record(
                "object:quarantine",
                actor=SYSTEM,
                target=vault,
                detail={
                    "region": region.slug,
                    "object": item.path,
                    "sha256": digest,
                    "size": item.size,
                    "moved_to": place,
                },
            )
            if vault is not None:
                _tell(vault, region, machine_id)
            storage.move(item.path, place)
    except ObjectMissing:
        log.info("Region %s: %s is gone already.", region.slug, item.path)


def check_region(region: Region, *, since: datetime | None) -> tuple[int, int]:
    """Compare the region's objects (changed at or after `since`, or all) with their names; sets aside what differs.

    Gives how many were compared, and how many set aside. Only while no gateway of the region runs. Raises StorageError.
    """
    storage = region_storage(region)
    compared = set_aside = 0
    for batch in layout.batches(_changed(storage, since)):
        findings = compare(storage, region, batch, uploads=False)
        compared += len(batch)
        set_aside += len(findings.set_aside)
    return compared, set_aside


def _changed(storage: RegionStorage, since: datetime | None) -> Iterable[Stored]:
    for vault in layout.folders(storage, ""):
        for machine in layout.folders(storage, vault):
            for kind in layout.KINDS:
                for folder in layout.objects(storage, f"{vault}/{machine}", kind):
                    yield from (item for item in folder if since is None or item.modified >= since)


def _tell(vault: Vault, region: Region, machine_id: str) -> None:
    publish(
        f"quarantine:{region.slug}:{machine_id}",
        state=Notification.State.ATTENTION,
        title=f'A damaged object of vault "{vault.name}" was set aside.',
        step=(
            f"An object of machine {machine_id} in {region} did not match its name."
            " Run `strongroom-agent check` on that machine, then a backup."
        ),
        url=reverse("vaults:vault", args=[vault.pk]),
        subscription=vault.subscription,
    )
