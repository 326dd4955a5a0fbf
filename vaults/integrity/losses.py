"""Which machines' repositories lack objects that no region has whole."""

import logging
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from portal.core.actor import SYSTEM
from portal.core.prepared import prepared
from portal.events.event import happened
from vaults.integrity.events import LossesSettled
from vaults.models import LostObject, Region, Vault
from vaults.regions.storage.layout import LOCKS, Stored

log = logging.getLogger(__name__)


def known_to_be_damaged(machine_id: UUID) -> bool:
    """Whether objects of this machine are known to be set aside or missing in every region; one indexed query."""
    return _one_lost.first(machine_id) is not None


@prepared
def _one_lost(machine_id: UUID) -> QuerySet[LostObject]:
    return LostObject.objects.filter(machine_id=machine_id).only("pk")[:1]


def note(vault: Vault, region: Region, item: Stored) -> None:
    """Remember that the object was set aside in `region` and that there is none to put in its place.

    Locks mean nothing to a backup.
    """
    if f"/{LOCKS}/" in item.path:
        return
    try:
        machine_id = UUID(item.machine.rpartition("/")[2])
    except ValueError:
        log.warning("Region %s: %s is in the folder of no machine.", region.slug, item.path)
        return
    values = {"vault": vault, "machine_id": machine_id, "found_at": timezone.now()}
    LostObject.objects.update_or_create(region=region, path=item.path, defaults=values)


def found_again(paths: Iterable[str]) -> None:
    """Forget what was lost of these: a region has them whole."""
    LostObject.objects.filter(path__in=list(paths)).delete()


def settle(machine_id: UUID, *, before: datetime) -> None:
    """Forget what was found before that time: a check of the machine's that began then misses nothing.

    What the portal told about it is withdrawn.
    """
    rows = LostObject.objects.filter(machine_id=machine_id, found_at__lt=before).select_related("region")
    for region in {row.region for row in rows}:
        happened(LossesSettled(region, machine_id), actor=SYSTEM)
    rows.delete()
