"""Redundancy: chosen freely until the first machine registers, then locked for good."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from portal.audit.actions import Action
from portal.audit.record import record
from portal.core import expected as expected_state
from portal.core.actor import Actor
from portal.core.errors import REVIEW_AGAIN, Invalid, RedundancyLocked, StaleState
from portal.core.times import for_people
from vaults import copy_schedule, operations
from vaults.models import Operation, Redundancy, Vault
from vaults.queries import vault_worked_on_by
from vaults.regions.catalog import open_pair_of
from vaults.states import VaultState


def shown(vault: Vault) -> str:
    """The tag of what a page shows when it offers the choice."""
    return expected_state.tag_of(vault=vault.pk, redundancy=vault.redundancy)


def change(vault_id: UUID, *, actor: Actor, redundancy: str, expected: str = "") -> Vault:
    """Set the redundancy, which takes effect at once, and begin the work that it means as a visible operation.

    Choosing what is set already confirms it. `expected` is what `shown()` gave for the page. Raises NotFound,
    NotAllowed, Invalid, RedundancyLocked, ContentChanged, and StaleState for a vault that is not Active.

    1. Update the row on condition that no machine has ever registered: of a registration (which sets
       `redundancy_locked_at` on the same condition) and a change, one wins.
    2. End the work of an earlier change that still runs, and begin that of this one.
    """
    vault = vault_worked_on_by(actor, vault_id)
    if redundancy not in Redundancy.values:
        raise Invalid({"redundancy": ["Choose geo or local."]})
    with transaction.atomic():
        vault = Vault.objects.select_for_update(of=("self",)).select_related("region", "subscription").get(pk=vault.pk)
        before = Redundancy(vault.redundancy)
        if not vault.redundancy_locked:  # that says more
            _require_unchanged(vault, expected)
        _require_pair(vault, redundancy)
        _store(vault, redundancy)
        record(
            Action.VAULT_REDUNDANCY if before != redundancy else Action.VAULT_CONFIRM_REDUNDANCY,
            actor=actor,
            target=vault,
            detail={"from": before.value, "to": redundancy},
        )
        if before != redundancy:
            _begin_work(vault, actor)
    return vault


def confirm(vault_id: UUID, *, actor: Actor, expected: str = "") -> Vault:
    """Note that the redundancy is as its people want it; harmless when confirmed or locked already.

    Raises NotFound, NotAllowed, ContentChanged, and StaleState for a vault that is not Active.
    """
    vault_worked_on_by(actor, vault_id)
    with transaction.atomic():
        vault = Vault.objects.select_for_update(of=("self",)).get(pk=vault_id)
        _require_unchanged(vault, expected)
        unconfirmed = Vault.objects.filter(pk=vault.pk, redundancy_confirmed_at__isnull=True, state=VaultState.ACTIVE)
        if unconfirmed.filter(redundancy_locked_at__isnull=True).update(redundancy_confirmed_at=timezone.now()):
            record(Action.VAULT_CONFIRM_REDUNDANCY, actor=actor, target=vault)
    vault.refresh_from_db()
    if vault.redundancy_confirmed_at or vault.redundancy_locked:
        return vault
    raise _not_active(vault)


def _require_unchanged(vault: Vault, expected: str) -> None:
    now = f"{vault.name} is {Redundancy(vault.redundancy).label.lower()} now."
    expected_state.require(expected, now, vault=vault.pk, redundancy=vault.redundancy)


def _require_pair(vault: Vault, redundancy: str) -> None:
    becomes_geo = redundancy == Redundancy.GEO and vault.redundancy != Redundancy.GEO
    if becomes_geo and open_pair_of(vault.region) is None:
        message = f"{vault.region.name} has no open paired region, so {vault.name} cannot be geo-redundant."
        raise Invalid({"redundancy": [message]})


def _store(vault: Vault, redundancy: str) -> None:
    now = timezone.now()
    changes = {"redundancy": redundancy, "redundancy_confirmed_at": now, "updated_at": now}
    open_row = Vault.objects.filter(pk=vault.pk, redundancy_locked_at__isnull=True, state=VaultState.ACTIVE)
    if open_row.update(**changes):
        vault.redundancy, vault.redundancy_confirmed_at, vault.updated_at = redundancy, now, now
        return
    vault.refresh_from_db()
    if vault.redundancy_locked_at is not None:
        raise RedundancyLocked(
            f"The redundancy of {vault.name} has been locked since {vault.redundancy_locked_by} registered"
            f" on {for_people(vault.redundancy_locked_at)}.",
            remedy="For another redundancy, request a new vault.",
        )
    raise _not_active(vault)


def _not_active(vault: Vault) -> StaleState:
    return StaleState(
        f"{vault.name} is {vault.state}; redundancy can be changed only while a vault is Active.",
        remedy=REVIEW_AGAIN,
    )


def _begin_work(vault: Vault, actor: Actor) -> None:
    chosen = Redundancy(vault.redundancy)
    begun = operations.supersede(vault, actor=actor, by=f"the vault is {chosen.label.lower()} now")
    if chosen == Redundancy.GEO:
        copy_schedule.create(vault)
        operations.start(vault, Operation.Kind.MAKE_COPY, memory=begun)
    else:
        copy_schedule.stop(vault)
        operations.start(vault, Operation.Kind.END_COPY, memory=begun)
