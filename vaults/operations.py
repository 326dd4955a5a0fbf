"""Operations: visible background work on a vault, as saved steps under a lease.

The life of one: `start` (with the change that wants it, in one transaction) → `claim` by a worker → `work_through` its
steps → `succeed`, or `postpone` after a trouble that may pass, or `fail`. The people of the subscription see all of it
in one entry of the notification area.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from portal.audit.transitions import advance
from portal.core.actor import SYSTEM, Actor
from portal.core.leases import RELEASED
from portal.notifications.models import Notification
from portal.notifications.publish import publish, withdraw
from portal.queue import enqueue
from vaults.models import Operation, Vault
from vaults.states import OperationState, VaultState

TASK = "vaults.run_operation"
LEASE = 40  # seconds; above the longest step (five calls to storage), since each begins with a fresh lease
MAX_ATTEMPTS = 5
BACKOFF = (2, 10, 30, 60)  # seconds before the second, third … attempt
WAITING = "Waiting for a worker"
TITLES = {
    Operation.Kind.CREATE: 'Creating vault "{name}"',
    Operation.Kind.MAKE_COPY: 'Making the copy of vault "{name}"',
    Operation.Kind.END_COPY: 'Ending the copy of vault "{name}"',
}
DONE = {
    Operation.Kind.CREATE: 'Successfully created vault "{name}".',
    Operation.Kind.MAKE_COPY: 'Vault "{name}" is now copied to the paired region.',
    Operation.Kind.END_COPY: 'The copy of vault "{name}" in the paired region has ended.',
}
FAILED = {
    Operation.Kind.CREATE: 'Could not create vault "{name}".',
    Operation.Kind.MAKE_COPY: 'Could not make the copy of vault "{name}".',
    Operation.Kind.END_COPY: 'Could not end the copy of vault "{name}".',
}


@dataclass(frozen=True)
class Step:
    """A piece of an operation: what people read while it runs, and what does it. Doing it twice must be harmless."""

    label: str
    do: Callable[[], None]


def key_of(operation: Operation) -> str:
    """The key of the operation's notification: one entry for each vault and kind."""
    return f"vault-{operation.kind}:{operation.vault_id}"


def start(vault: Vault, kind: Operation.Kind) -> Operation:
    """Begin work on the vault, in the transaction of the change that wants it; a worker takes it up after the commit.

    Raises IntegrityError when other work runs on the vault: `supersede` it first.
    """
    operation = Operation.objects.create(vault=vault, kind=kind, step=WAITING, started_at=timezone.now(), due_at=Now())
    _announce(operation, WAITING)
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
        attempts=0,
        finished_at=None,
        due_at=Now(),
        lease_token=uuid4(),
        lease_until=None,
    )
    _note(operation, "")
    _announce(operation, WAITING)
    enqueue(TASK, str(operation.pk))


def supersede(vault: Vault, *, actor: Actor, by: str) -> None:
    """End the running work on the vault's copy, if there is any: a later change has overtaken it."""
    running = Operation.objects.filter(vault=vault, state=OperationState.RUNNING).exclude(kind=Operation.Kind.CREATE)
    for operation in running:
        reason = f"Superseded by a later change: {by}."
        advance(operation, OperationState.FAILED, actor=actor, reason=reason, **_ended())
        _note(operation, reason)
        withdraw(key_of(operation))


def claim(operation_id: UUID) -> Operation | None:
    """Take the operation for LEASE seconds; None when it is not due or another worker has it."""
    operation = Operation.objects.filter(pk=operation_id, state=OperationState.RUNNING).first()
    if operation is None or not operation.claim(LEASE) or operation.state != OperationState.RUNNING:
        return None
    return operation


def work_through(operation: Operation, steps: Sequence[Step]) -> None:
    """Do the steps that are not yet done, saving and showing each under the lease.

    Lets through what a step raises, and LeaseLost when the row belongs to somebody else by now.
    """
    for number in range(operation.steps_done, len(steps)):
        step = steps[number]
        _save_progress(operation, step.label, number, len(steps))
        began = time.perf_counter()
        step.do()
        operation.timings = {**operation.timings, step.label: round(time.perf_counter() - began, 4)}


def _save_progress(operation: Operation, label: str, number: int, total: int) -> None:
    with transaction.atomic():
        operation.save_held(hold=LEASE, steps_done=number, step=label, timings=operation.timings)
        _announce(operation, label, progress=round(100 * number / total))


def succeed(operation: Operation, total: int) -> None:
    """End the operation well, in the transaction of the caller, who has locked the vault. Raises LeaseLost."""
    operation.save_held(steps_done=total, timings=operation.timings)
    advance(operation, OperationState.SUCCEEDED, actor=SYSTEM, **_ended())
    _notify(operation, Notification.State.SUCCEEDED, DONE[Operation.Kind(operation.kind)])


def fail(operation: Operation, reason: str) -> None:
    """End the operation badly, in the transaction of the caller. Raises LeaseLost."""
    operation.save_held(timings=operation.timings, reason=reason)
    advance(operation, OperationState.FAILED, actor=SYSTEM, reason=reason, **_ended())
    _notify(operation, Notification.State.FAILED, FAILED[Operation.Kind(operation.kind)], step=reason)


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
            due_at=Now() + timedelta(seconds=wait),
        )
        _announce(operation, step)
        # Also where people look at the vault rather than at the work on it; whatever ends the work replaces it.
        Vault.objects.filter(pk=operation.vault_id, state=VaultState.CREATING).update(state_reason=step[:500])


def overdue(limit: int) -> list[UUID]:
    """Operations that are due and that no worker holds."""
    found = Operation.objects.filter(Operation.unclaimed(), state=OperationState.RUNNING)
    return list(found.order_by("due_at").values_list("pk", flat=True)[:limit])


def _ended() -> dict[str, Any]:
    return {"finished_at": timezone.now(), "due_at": None, **RELEASED}


def _note(operation: Operation, reason: str) -> None:
    # `reason` is a word of advance() itself, so the column is written beside it, in the same transaction.
    Operation.objects.filter(pk=operation.pk).update(reason=reason)
    operation.reason = reason


def _announce(operation: Operation, step: str, progress: int = 0) -> None:
    _notify(operation, Notification.State.RUNNING, TITLES[Operation.Kind(operation.kind)], step=step, progress=progress)


def _notify(operation: Operation, state: Notification.State, title: str, step: str = "", progress: int = 0) -> None:
    vault = operation.vault
    publish(
        key_of(operation),
        state=state,
        title=title.format(name=vault.name),
        step=step,
        progress=progress,
        url=_place(operation, state),
        subscription=vault.subscription,
    )


def _place(operation: Operation, state: Notification.State) -> str:
    """The page that shows how it goes; what was created has its first steps on another."""
    created = operation.kind == Operation.Kind.CREATE and state == Notification.State.SUCCEEDED
    return reverse("agents:quick-start" if created else "vaults:vault", args=[operation.vault_id])
