"""Provisioning: makes a vault's homes, in its region and the paired one, proves that they work, and opens the vault.

One attempt is `run`. It goes on where the last one stopped; each step may be done twice without harm. What the steps
are is a matter of the region's provider (vaults/regions/provider.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from portal.core import leases
from vaults import copy_schedule, operations
from vaults.lifecycle import creation
from vaults.models import Operation, Redundancy, Vault
from vaults.recovery import bring_back
from vaults.regions.provider import Home, Step, provider_of
from vaults.regions.storage.base import StorageError, StorageRefused

STOPPED = "The operation was interrupted {attempts} times."
AGAIN = "Press Retry once the cause is resolved, or tell an administrator."


@dataclass(frozen=True)
class Ends:
    """How a kind of operation ends: well, with the number of its steps, or badly, with a reason."""

    succeed: Callable[[Operation, int], None]
    fail: Callable[[Operation, str], None]


def run(operation_id: UUID) -> None:
    """Make one attempt: afterwards the operation has ended, or waits for another attempt, or is somebody else's."""
    leases.run(operations.claim(operation_id), _attempt, trouble=StorageError, on_trouble=_end_or_postpone)


def step_labels(operation: Operation) -> list[str]:
    """What the operation does, step by step, as people read it; none where nobody here can do it any more."""
    try:
        return [step.label for step in _steps(operation)]
    except StorageRefused:
        return []


def _attempt(operation: Operation) -> None:
    ends = _ends(operation)
    if operation.attempts > operations.MAX_ATTEMPTS:  # the last one neither ended it nor gave it back
        ends.fail(operation, f"{STOPPED.format(attempts=operations.MAX_ATTEMPTS)} {AGAIN}")
        return
    steps = _steps(operation)
    if operations.work_through(operation, steps):
        ends.succeed(operation, len(steps))


def _end_or_postpone(operation: Operation, trouble: StorageError) -> None:
    if isinstance(trouble, StorageRefused) or operations.exhausted(operation):
        _ends(operation).fail(operation, f"{trouble} {AGAIN}")
    else:
        operations.postpone(operation, str(trouble))


def _steps(operation: Operation) -> list[Step]:
    """Raises StorageRefused where no provider makes homes of the region's kind."""
    vault = operation.vault
    if operation.kind == Operation.Kind.BRING_BACK:
        return bring_back.steps(operation)
    if operation.kind == Operation.Kind.END_COPY:
        region = copy_schedule.region_of(vault)
        return provider_of(region).steps_to_end(Home(region, vault, operation.pk)) if region else []
    regions = [] if operation.kind == Operation.Kind.MAKE_COPY else [vault.region]
    if vault.redundancy == Redundancy.GEO:
        regions.append(vault.copy.region)
    homes = [Home(region, vault, operation.pk) for region in regions]
    steps = [step for home in homes for step in provider_of(home.region).steps_to_make(home)]
    return steps + [step for home in homes for step in provider_of(home.region).steps_to_check(home)]


def _ends(operation: Operation) -> Ends:
    if operation.kind == Operation.Kind.CREATE:
        return Ends(creation.activate, creation.fail)
    if operation.kind == Operation.Kind.BRING_BACK:
        return Ends(bring_back.finish, _fail)
    return Ends(_copy_made if operation.kind == Operation.Kind.MAKE_COPY else _copy_ended, _fail)


def _copy_made(operation: Operation, total_steps: int) -> None:
    with transaction.atomic():
        Vault.objects.select_for_update().get(pk=operation.vault_id)
        operations.succeed(operation, total_steps)
        copy_schedule.schedule(operation.vault_id)


def _copy_ended(operation: Operation, total_steps: int) -> None:
    with transaction.atomic():
        Vault.objects.select_for_update().get(pk=operation.vault_id)
        operations.succeed(operation, total_steps)
        copy_schedule.delete(operation.vault_id)


def _fail(operation: Operation, reason: str) -> None:
    with transaction.atomic():
        operations.fail(operation, reason)
