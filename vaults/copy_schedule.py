"""Copies of geo-redundant vaults in the paired region: whether there is one, when it is due, and how old it is.

The row says all; `vaults.replication.copier` does the copying.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, When
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from portal.core.errors import StaleState
from portal.core.leases import RELEASED
from portal.queue import enqueue
from vaults.models import PairedCopy, Redundancy, Region, Vault
from vaults.regions.catalog import open_pair_of
from vaults.states import VaultState

TASK = "vaults.copy_vault"
LEASE = 240  # seconds; above the longest batch of objects
EVERY = timedelta(hours=1)  # at the latest; each reported backup makes a copy due
SOON = timedelta(seconds=30)
GATHER = timedelta(seconds=5)  # within which reports make one round together, after one that has just been
MOST_FIRST = 100  # machines that a round begins with
LONGEST_WAIT = timedelta(minutes=15)  # after troubles
NO_ROUND: dict[str, Any] = {"round_began_at": None, "round_done_to": ""}


def create(vault: Vault) -> PairedCopy:
    """Note that the vault is to be copied to the pair of its region; copying starts once `schedule` is called.

    Raises StaleState when there is no open pair (any more).
    """
    region = open_pair_of(vault.region)
    if region is None:
        raise StaleState(
            f"{vault.region.name} has no open paired region, so no copy can be made.",
            remedy=f"An administrator can open one; a vault that is {Redundancy.LOCAL.label.lower()} needs none.",
        )
    return PairedCopy.objects.get_or_create(vault=vault, defaults={"region": region})[0]


def schedule(vault_id: UUID, machine_id: UUID | None = None) -> None:
    """Copy the vault within seconds, beginning with that machine; no-op for a vault without a copy.

    The first round after a while begins at once: until it is over, what a machine has just stored is in one place only.
    What is asked for within GATHER after the beginning of a round, or while it is under way, becomes one round more.
    """
    asked_before = Q(due_at__lte=Now()) & (Q(round_began_at__isnull=True) | Q(due_at__gt=F("round_began_at")))
    for copy in PairedCopy.objects.filter(vault_id=vault_id, vault__redundancy=Redundancy.GEO):
        own = PairedCopy.objects.filter(pk=copy.pk)
        own.update(attempts=0, **_beginning_with(copy, machine_id))
        if own.exclude(asked_before).update(due_at=Now()):
            just_been = copy.complete_as_of is not None and timezone.now() - copy.complete_as_of < GATHER
            enqueue(TASK, copy.pk, delay=GATHER.seconds if just_been else 0)


def _beginning_with(copy: PairedCopy, machine_id: UUID | None) -> dict[str, Any]:
    """Two that write at once may lose one of the two machines: it is only the order that suffers."""
    if machine_id is None or str(machine_id) in copy.reported:
        return {}
    return {"reported": [*copy.reported, str(machine_id)][-MOST_FIRST:]}


def stop(vault: Vault) -> None:
    """Stop copying the vault: whoever is at it finds the lease lost. What was copied is ended by an operation."""
    PairedCopy.objects.filter(vault=vault).update(due_at=None, **NO_ROUND, **RELEASED)


def delete(vault_id: UUID) -> None:
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

    None too while as many copies are worked on as may be at once: other work must find a free worker. A vault that is
    not Active any more is left alone until `schedule` is called for it again.
    """
    copy = PairedCopy.objects.filter(pk=copy_id).first()
    if copy is None or PairedCopy.objects.filter(lease_until__gt=Now()).count() >= settings.COPIES_AT_ONCE:
        return None
    if not copy.claim(LEASE):
        return None
    reported = copy.reported
    copy.save_held(round_began_at=Coalesce("round_began_at", Now()), reported=[])
    copy = PairedCopy.objects.select_related("vault__region", "vault__subscription", "region").get(pk=copy_id)
    copy.reported = reported  # what this task begins with; on the row are those of the next one
    if copy.vault.state != VaultState.ACTIVE or copy.vault.redundancy != Redundancy.GEO:
        copy.save_held(release=True, due_at=None, **NO_ROUND)
        return None
    return copy


def mark_complete(copy: PairedCopy, *, soon: bool = False) -> None:
    """All that was stored when the round began is in the pair. Due again in EVERY, or at once when asked meanwhile.

    `soon` makes it due in SOON, where a round has left something to compare. Raises LeaseLost.
    """
    asked_meanwhile = When(due_at__gt=F("round_began_at"), then=F("due_at"))
    with transaction.atomic():
        copy.save_held(
            release=True,
            complete_as_of=copy.round_began_at,
            objects_copied=copy.objects_copied,
            trouble="",
            attempts=0,
            due_at=Case(asked_meanwhile, default=Now() + (SOON if soon else EVERY)),
            **NO_ROUND,
        )
        _take_up_next()


def release(copy: PairedCopy) -> None:
    """The time slice is used up: release the lease, so that another task continues the round. Raises LeaseLost."""
    with transaction.atomic():
        copy.save_held(release=True, attempts=0, objects_copied=copy.objects_copied)
        _take_up_next()


def record_failure(copy: PairedCopy, trouble: object) -> None:
    """Record the failure and retry later, without limit. Raises LeaseLost."""
    wait = min(timedelta(seconds=5 * 2 ** min(copy.attempts, 10)), LONGEST_WAIT)
    with transaction.atomic():
        copy.save_held(
            release=True, objects_copied=copy.objects_copied, trouble=str(trouble)[:500], due_at=Now() + wait
        )
        _take_up_next()


def _take_up_next() -> None:
    # Whoever waited longest, which may be the copy that has just been given back.
    for copy_id in overdue(1):
        enqueue(TASK, copy_id)
