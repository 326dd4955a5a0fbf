"""How many keys a repository may have: two. Among many, most of them junk, stock restic does not find its own."""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from vaults.models import MachineRepository, SeenObject, Vault
from vaults.regions.storage import layout
from vaults.regions.storage.rclone import region_storage
from vaults.trash.removals import UNSETTLED

MOST = 2


def reserve(vault: Vault, machine_id: UUID, name: str) -> bool:
    """Whether the machine may store a key of this name now. Raises StorageError.

    A yes is noted, and counts as a key for UNSETTLED, so that of many at once no more than MOST are let in.
    """
    stored = layout.flat(region_storage(vault.region), f"{vault.pk}/{machine_id}", "keys")
    MachineRepository.objects.get_or_create(machine_id=machine_id, defaults={"vault": vault})
    with transaction.atomic():
        MachineRepository.objects.select_for_update(no_key=True).get(pk=machine_id)
        rows = SeenObject.objects.filter(machine_id=machine_id, kind="keys")
        lately = rows.filter(first_seen_at__gt=timezone.now() - UNSETTLED).values_list("name", flat=True)
        keys = {item.name for item in stored} | set(lately)
        if name in keys:
            return True
        if len(keys) >= MOST:
            return False
        values = {"vault": vault, "size": 0, "first_seen_at": Now()}
        SeenObject.objects.update_or_create(machine_id=machine_id, kind="keys", name=name, defaults=values)
        return True
