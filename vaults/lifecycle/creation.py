"""The life of a vault: made from an approved request, then Active or Failed, and another try by a person."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from portal.audit.actions import Action
from portal.audit.record import record
from portal.audit.transitions import advance
from portal.core import expected as expected_state
from portal.core.actor import SYSTEM, Actor
from portal.core.errors import REVIEW_AGAIN, StaleState
from vaults import copy_schedule, operations
from vaults.models import Operation, Redundancy, Vault, VaultRequest
from vaults.queries import operations_of, vault_worked_on_by
from vaults.rules import may_be_retried
from vaults.states import VaultState


def create(request: VaultRequest, *, actor: Actor) -> Vault:
    """Make the vault that `request` asks for and begin to provision it, in the transaction of the approval."""
    vault = Vault.objects.create(
        subscription=request.subscription,
        name=request.name,
        region=request.region,
        redundancy=request.redundancy,
    )
    record(
        Action.VAULT_CREATE,
        actor=actor,
        target=vault,
        detail={
            "request": str(request.pk),
            "subscription": request.subscription.name,
            "region": request.region.slug,
            "redundancy": request.redundancy,
        },
    )
    if vault.redundancy == Redundancy.GEO:
        copy_schedule.create(vault)
    operations.start(vault, Operation.Kind.CREATE)
    return vault


def activate(operation: Operation, total_steps: int) -> None:
    """The storage is there: end the operation and open the vault, in one transaction. Raises LeaseLost."""
    with transaction.atomic():
        vault = Vault.objects.select_for_update().get(pk=operation.vault_id)
        operations.succeed(operation, total_steps)
        advance(vault, VaultState.ACTIVE, actor=SYSTEM, activated_at=timezone.now(), state_reason="")
        copy_schedule.schedule(vault.pk)


def fail(operation: Operation, reason: str) -> None:
    """The storage could not be set up: end the operation and say why on the vault. Raises LeaseLost."""
    with transaction.atomic():
        vault = Vault.objects.select_for_update().get(pk=operation.vault_id)
        operations.fail(operation, reason)
        advance(vault, VaultState.FAILED, actor=SYSTEM, reason=reason, state_reason=reason)


def shown(vault: Vault, latest: Operation | None) -> str:
    """The tag of the work that a page offers to do again."""
    return expected_state.tag_of(vault=vault.pk, work=latest.pk if latest else "")


def retry(vault_id: UUID, *, actor: Actor, expected: str = "") -> Vault:
    """Do the latest work on the vault again, which has failed: that on its storage, or that on its copy.

    Work on the copy also when the redundancy is locked: it only finishes what was decided. The vault's lock keeps a
    change of redundancy from beginning other work meanwhile. `expected` is what `shown()` gave for the page.
    Raises NotFound, NotAllowed, ContentChanged, and StaleState when the latest work has not failed (any more).
    """
    vault_worked_on_by(actor, vault_id)
    with transaction.atomic():
        vault = Vault.objects.select_for_update(of=("self",)).select_related("subscription").get(pk=vault_id)
        operation = operations_of(vault).first()
        if operation is None or not may_be_retried(vault, operation):
            raise StaleState(
                f"{vault.name} is {vault.state}, and it has no failed operation to retry.",
                remedy=REVIEW_AGAIN,
            )
        now = f"Another operation on {vault.name} has failed since: {operation.reason}"
        expected_state.require(expected, now, vault=vault.pk, work=operation.pk)
        operation.vault = vault
        if vault.state == VaultState.FAILED:
            advance(vault, VaultState.CREATING, actor=actor, action=Action.VAULT_RETRY, state_reason="")
        operations.retry(operation, actor=actor)
    return vault
