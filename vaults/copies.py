"""Copies of geo-redundant vaults in the paired region: whether there is one, and when it is due."""

from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now

from portal.queue import enqueue
from vaults.models import PairedCopy, Vault
from vaults.regions import pair_of

TASK = "vaults.copy_vault"
EVERY = timedelta(hours=1)  # at the latest; each reported backup makes a copy due at once


def begin(vault: Vault) -> PairedCopy:
    """Note that the vault is to be copied to the pair of its region; the first copy is due once `due` is called."""
    region = pair_of(vault.region)
    if region is None:
        raise LookupError(f"{vault.region.slug} has no pair")
    return PairedCopy.objects.get_or_create(vault=vault, defaults={"region": region})[0]


def due(vault_id: UUID) -> None:
    """Copy the vault as soon as a worker is free, again if it is being copied now; no-op for one without a copy."""
    for copy in PairedCopy.objects.filter(vault_id=vault_id):
        PairedCopy.objects.filter(pk=copy.pk).update(due_at=Now())
        enqueue(TASK, copy.pk)


def stop(vault: Vault) -> None:
    """Stop copying the vault: whoever is at it finds the lease lost. What was copied is ended by an operation."""
    PairedCopy.objects.filter(vault=vault).update(due_at=None, lease_token=None, lease_until=None)
