"""Copies of geo-redundant vaults in the paired region: whether there is one, when it is due, and how old it is.

The row says all; `vaults.replication` does the copying.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Q, When
from django.db.models.functions import Now

from portal.queue import enqueue
from vaults.models import PairedCopy, Redundancy, Region, Vault
from vaults.regions import pair_of
from vaults.states import VaultState

TASK = "vaults.copy_vault"
LEASE = 240  # seconds; above the longest batch of objects
EVERY = timedelta(hours=1)  # at the latest; each reported backup makes a copy due at once
LONGEST_WAIT = timedelta(minutes=15)  # after troubles


def begin(vault: Vault) -> PairedCopy:
    """Note that the vault is to be copied to the pair of its region; copying starts once `due` is called."""
    region = pair_of(vault.region)
    if region is None:
        raise LookupError(f"{vault.region.slug} has no pair")
    return PairedCopy.objects.get_or_create(vault=vault, defaults={"region": region})[0]


def due(vault_id: UUID) -> None:
    """Copy the vault as soon as a worker is free, again if it is being copied now; no-op for one without a copy."""
    for copy in PairedCopy.objects.filter(vault_id=vault_id, vault__redundancy=Redundancy.GEO):
        PairedCopy.objects.filter(pk=copy.pk).update(due_at=Now(), attempts=0)
        enqueue(TASK, copy.pk)


def stop(vault: Vault) -> None:
    """Stop copying the vault: whoever is at it finds the lease lost. What was copied is ended by an operation."""
    PairedCopy.objects.filter(vault=vault).update(due_at=None, lease_token=None, lease_until=None)


def forget(vault_id: UUID) -> None:
    """The vault has no copy any more."""
    PairedCopy.objects.filter(vault_id=vault_id).delete()


def region_of(vault: Vault) -> Region | None:
    """Where the vault's copy is; None for a vault without one."""
    copy = PairedCopy.objects.select_related("region").filter(vault=vault).first()
    return copy.region if copy else None


def overdue(limit: int) -> list[int]:
    """Copies that are due and that no worker holds."""
    return list(
        PairedCopy.objects.filter(PairedCopy.unclaimed()).order_by("due_at").values_list("pk", flat=True)[:limit]
    )


def claim(copy_id: int) -> PairedCopy | None:
    """Take the copy, with its vault and regions, for LEASE seconds; None when it is not due, or is held by another.

    A vault that is not Active any more is left alone until `due` is called for it again.
    """
    copy = PairedCopy.objects.filter(pk=copy_id).first()
    if copy is None or not copy.claim(LEASE):
        return None
    copy = PairedCopy.objects.select_related("vault__region", "vault__subscription", "region").get(pk=copy_id)
    if copy.vault.state != VaultState.ACTIVE or copy.vault.redundancy != Redundancy.GEO:
        copy.save_held(due_at=None, lease_token=None, lease_until=None)
        return None
    return copy


def completed(copy: PairedCopy, began: datetime) -> None:
    """All that was stored when the round `began` is in the pair. Due again in EVERY, or at once when asked meanwhile.

    Raises LeaseLost.
    """
    asked_meanwhile = Q(due_at__gt=copy.due_at)
    with transaction.atomic():
        copy.save_held(
            complete_as_of=began,
            objects_copied=copy.objects_copied,
            trouble="",
            attempts=0,
            lease_token=None,
            lease_until=None,
            due_at=Case(When(asked_meanwhile, then=F("due_at")), default=Now() + EVERY),
        )
        if PairedCopy.objects.filter(PairedCopy.unclaimed(), pk=copy.pk).exists():
            enqueue(TASK, copy.pk)


def interrupted(copy: PairedCopy) -> None:
    """The round has used its time: go on in another task. Raises LeaseLost."""
    with transaction.atomic():
        copy.save_held(objects_copied=copy.objects_copied, attempts=0, due_at=Now(), lease_token=None, lease_until=None)
        enqueue(TASK, copy.pk)


def troubled(copy: PairedCopy, trouble: str) -> None:
    """The round has failed: note why and try again later, for ever. Raises LeaseLost."""
    wait = min(timedelta(seconds=5 * 2 ** min(copy.attempts, 10)), LONGEST_WAIT)
    copy.save_held(
        objects_copied=copy.objects_copied,
        trouble=trouble[:500],
        due_at=Now() + wait,
        lease_token=None,
        lease_until=None,
    )
