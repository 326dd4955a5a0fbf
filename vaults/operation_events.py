"""What happens to operations: the people of the subscription see all of it in one entry for each vault and kind."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from portal.events.event import Event
from portal.notifications.models import Notification
from portal.notifications.notices import Notice, Topic, Withdrawal
from vaults.models import Operation

State = Notification.State
Kind = Operation.Kind
TOPICS = {
    Kind.CREATE: Topic.VAULT_CREATE,
    Kind.MAKE_COPY: Topic.VAULT_MAKE_COPY,
    Kind.END_COPY: Topic.VAULT_END_COPY,
    Kind.BRING_BACK: Topic.VAULT_BRING_BACK,
}
RUNNING = {
    Kind.CREATE: 'Creating vault "{name}"',
    Kind.MAKE_COPY: 'Making the copy of vault "{name}"',
    Kind.END_COPY: 'Ending the copy of vault "{name}"',
    Kind.BRING_BACK: 'Bringing back backups of vault "{name}"',
}
DONE = {
    Kind.CREATE: 'Successfully created vault "{name}".',
    Kind.MAKE_COPY: 'Vault "{name}" is now copied to the paired region.',
    Kind.END_COPY: 'The copy of vault "{name}" in the paired region has ended.',
    Kind.BRING_BACK: 'Backups of vault "{name}" were brought back.',
}
FAILED = {
    Kind.CREATE: 'Could not create vault "{name}".',
    Kind.MAKE_COPY: 'Could not make the copy of vault "{name}".',
    Kind.END_COPY: 'Could not end the copy of vault "{name}".',
    Kind.BRING_BACK: 'Could not bring back backups of vault "{name}".',
}


@dataclass(frozen=True)
class OperationProgressed(Event):
    """It waits, does a step, or tries again later; `progress` is in per cent."""

    operation: Operation
    step: str
    progress: int = 0

    def notices(self) -> Iterator[Notice]:
        """How far it is."""
        yield _notice(self.operation, State.RUNNING, RUNNING, step=self.step, progress=self.progress)


@dataclass(frozen=True)
class OperationSucceeded(Event):
    """It has ended well."""

    operation: Operation

    def notices(self) -> Iterator[Notice]:
        """What is there now; what was created has its first steps on another page."""
        page = "agents:quick-start" if self.operation.kind == Kind.CREATE else "vaults:vault"
        yield _notice(self.operation, State.SUCCEEDED, DONE, page=page)


@dataclass(frozen=True)
class OperationFailed(Event):
    """It has ended badly."""

    operation: Operation
    reason: str

    def notices(self) -> Iterator[Notice]:
        """Why."""
        yield _notice(self.operation, State.FAILED, FAILED, step=self.reason)


@dataclass(frozen=True)
class OperationSuperseded(Event):
    """A later change has overtaken it, and tells of itself."""

    operation: Operation

    def notices(self) -> Iterator[Withdrawal]:
        """Nobody waits for its end."""
        yield Withdrawal(_topic(self.operation), self.operation.vault_id)


def _notice(
    operation: Operation,
    state: Notification.State,
    titles: dict[Operation.Kind, str],
    *,
    step: str = "",
    progress: int = 0,
    page: str = "vaults:vault",
) -> Notice:
    vault = operation.vault
    return Notice(
        topic=_topic(operation),
        about=vault.pk,
        state=state,
        title=titles[Kind(operation.kind)].format(name=vault.name),
        step=step,
        progress=progress,
        url=reverse(page, args=[vault.pk]),
        subscription=vault.subscription,
    )


def _topic(operation: Operation) -> Topic:
    return TOPICS[Kind(operation.kind)]
