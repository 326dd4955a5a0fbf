"""Operations: visible background work on a vault, as saved steps under a lease.

The life of one: `start` (with the change that wants it, in one transaction) → `claim` by a worker → `work_through` its
steps → `succeed`, or `postpone` after a trouble that may pass, or `fail`. A step that waits for something elsewhere
gives the operation back until then. The people of the subscription see all of it in one entry of the notification area.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from portal.audit.transitions import advance
from portal.core.actor import SYSTEM, Actor
from portal.core.leases import RELEASED
from portal.events.event import happened
from portal.queue import enqueue
from vaults.models import Operation, Vault
from vaults.operation_events import OperationFailed, OperationProgressed, OperationSucceeded, OperationSuperseded
from vaults.regions.provider import Memory, Step, Wait
from vaults.regions.storage.base import StorageRefused
from vaults.states import OperationState, VaultState

TASK = "vaults.run_operation"
LEASE = 40  # seconds; above the longest step (five calls to storage), since each begins with a fresh lease
MAX_ATTEMPTS = 5
BACKOFF = (2, 10, 30, 60)  # seconds before the second, third … attempt
WAITING = "Waiting for a worker"


def start(
    vault: Vault,
    kind: Operation.Kind,
    *,
    memory: Mapping[str, Memory] | None = None,
    subject: Mapping[str, str] | None = None,
) -> Operation:
    """Begin work on the vault, in the transaction of the change that wants it; a worker takes it up after the commit.

    `memory` is what the work before had begun elsewhere, by region; `subject` what it is about beside the vault. Raises
    IntegrityError when other work runs on the vault: `supersede` it first.
    """
    operation = Operation.objects.create(
        vault=vault,
        kind=kind,
        step=WAITING,
        started_at=timezone.now(),
        due_at=Now(),
        memory=dict(memory or {}),
        subject=dict(subject or {}),
    )
    happened(OperationProgressed(operation, WAITING), actor=SYSTEM)
    enqueue(TASK, str(operation.pk))
    return operation


def retry(operation: Operation, *, actor: Actor) -> None:
    """Run a failed operation again from its first step, with the attempts counted anew.

    The new token shuts out a worker that still believes it holds the row. Raises StaleState.
    """
    advance(
        operation,
        OperationState.RUNNING,
        actor=actor,
        steps_done=0,
        step=WAITING,
        timings={},
        memory={},
        waiting_since=None,
        attempts=0,
        finished_at=None,
        due_at=Now(),
        lease_token=uuid4(),
        lease_until=None,
    )
    _note(operation, "")
    happened(OperationProgressed(operation, WAITING), actor=actor)
    enqueue(TASK, str(operation.pk))


def supersede(vault: Vault, *, actor: Actor, by: str) -> Mapping[str, Memory]:
    """End the running work on the vault's copy, if there is any: a later change has overtaken it.

    What it had begun elsewhere, by region, for the work that comes after.
    """
    running = Operation.objects.filter(vault=vault, state=OperationState.RUNNING).exclude(kind=Operation.Kind.CREATE)
    memory: dict[str, Memory] = {}
    for operation in running:
        memory |= operation.memory
        reason = f"Superseded by a later change: {by}."
        advance(operation, OperationState.FAILED, actor=actor, reason=reason, **_ended())
        _note(operation, reason)
        happened(OperationSuperseded(operation), actor=actor)
    return memory


def claim(operation_id: UUID) -> Operation | None:
    """Take the operation for LEASE seconds; None when it is not due or another worker has it."""
    operation = Operation.objects.filter(pk=operation_id, state=OperationState.RUNNING).first()
    if operation is None or not operation.claim(LEASE) or operation.state != OperationState.RUNNING:
        return None
    return operation


def work_through(operation: Operation, steps: Sequence[Step]) -> bool:
    """Do the steps that are not yet done, saving and showing each under the lease; whether all are done.

    They are not where one waits: then the operation has been given back. Lets through what a step raises; raises
    StorageRefused for one that waits for too long, and LeaseLost when the row belongs to somebody else by now.
    """
    for number in range(operation.steps_done, len(steps)):
        step = steps[number]
        _save_progress(operation, step.label, number, len(steps))
        if wait := _do(step, operation):
            _await(operation, step, wait)
            return False
        operation.waiting_since = None
    return True


def _do(step: Step, operation: Operation) -> Wait | None:
    memory = operation.memory.get(step.region.slug, {})
    began = time.perf_counter()
    try:
        return step.do(memory)
    finally:  # a trouble too leaves what was begun
        seconds = operation.timings.get(step.label, 0) + time.perf_counter() - began
        operation.timings = {**operation.timings, step.label: round(seconds, 4)}
        operation.memory = {**operation.memory, step.region.slug: memory} if memory else operation.memory


def _save_progress(operation: Operation, label: str, number: int, total: int) -> None:
    with transaction.atomic():
        operation.save_held(
            hold=LEASE,
            steps_done=number,
            step=label,
            timings=operation.timings,
            memory=operation.memory,
            waiting_since=operation.waiting_since,
        )
        happened(OperationProgressed(operation, label, round(100 * number / total)), actor=SYSTEM)


def _await(operation: Operation, step: Step, wait: Wait) -> None:
    now = timezone.now()
    since = operation.waiting_since or now
    if now - since > wait.at_most:
        minutes = wait.at_most // timedelta(minutes=1)
        raise StorageRefused(f"{step.region} did not finish this within {minutes} minutes: {step.label}.")
    with transaction.atomic():
        operation.save_held(
            release=True,
            attempts=operation.attempts - 1,  # waiting is no trouble
            memory=operation.memory,
            timings=operation.timings,
            waiting_since=since,
            due_at=Now() + timedelta(seconds=wait.seconds),
        )
        _tell_vault(operation, "")  # a trouble before is over


def succeed(operation: Operation, total: int) -> None:
    """End the operation well, in the transaction of the caller, who has locked the vault. Raises LeaseLost."""
    operation.save_held(steps_done=total, timings=operation.timings, memory=operation.memory)
    advance(operation, OperationState.SUCCEEDED, actor=SYSTEM, **_ended())
    happened(OperationSucceeded(operation), actor=SYSTEM)


def fail(operation: Operation, reason: str) -> None:
    """End the operation badly, in the transaction of the caller. Raises LeaseLost."""
    operation.save_held(timings=operation.timings, memory=operation.memory, reason=reason)
    advance(operation, OperationState.FAILED, actor=SYSTEM, reason=reason, **_ended())
    happened(OperationFailed(operation, reason), actor=SYSTEM)


def exhausted(operation: Operation) -> bool:
    """Whether the operation has had its last attempt."""
    return operation.attempts >= MAX_ATTEMPTS


def postpone(operation: Operation, trouble: str) -> None:
    """Give the operation back for another attempt later, saying why. Raises LeaseLost."""
    wait = BACKOFF[min(operation.attempts, len(BACKOFF)) - 1]
    step = f"{trouble} Trying again ({operation.attempts} of {MAX_ATTEMPTS})."
    with transaction.atomic():
        operation.save_held(
            release=True,
            step=step[:200],
            timings=operation.timings,
            memory=operation.memory,
            due_at=Now() + timedelta(seconds=wait),
        )
        happened(OperationProgressed(operation, step), actor=SYSTEM)
        _tell_vault(operation, step)


def overdue(limit: int) -> list[UUID]:
    """Operations that are due and that no worker holds."""
    found = Operation.objects.filter(Operation.unclaimed(), state=OperationState.RUNNING)
    return list(found.order_by("due_at").values_list("pk", flat=True)[:limit])


def _tell_vault(operation: Operation, reason: str) -> None:
    """Say it also where people look at the vault rather than at the work on it; whatever ends the work replaces it."""
    Vault.objects.filter(pk=operation.vault_id, state=VaultState.CREATING).update(state_reason=reason[:500])


def _ended() -> dict[str, Any]:
    return {"finished_at": timezone.now(), "due_at": None, "waiting_since": None, **RELEASED}


def _note(operation: Operation, reason: str) -> None:
    # `reason` is a word of advance() itself, so the column is written beside it, in the same transaction.
    Operation.objects.filter(pk=operation.pk).update(reason=reason)
    operation.reason = reason
