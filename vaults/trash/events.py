"""What happens to what machines have deleted."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.urls import reverse

from portal.audit.actions import Action
from portal.events.event import Entry, Event
from portal.notifications.models import Notification
from portal.notifications.notices import Notice, Topic, Withdrawal
from portal.templatetags.amounts import plural, size
from vaults.extensions import called
from vaults.models import Vault

State = Notification.State


@dataclass(frozen=True)
class PurgeHeld(Event):
    """A machine has deleted what it was not expected to: nothing of its trash is purged until people decide."""

    vault: Vault
    machine: UUID
    reason: str

    def entry(self) -> Entry:
        """Why."""
        return Entry(Action.PURGE_HOLD, self.vault, {"machine": str(self.machine), "reason": self.reason})

    def notices(self) -> Iterator[Notice]:
        """The vault's people have to look."""
        yield _notice(
            self.vault,
            self.machine,
            State.ATTENTION,
            f'Deletions by {called(self.vault.pk, self.machine)} of vault "{self.vault.name}" need a decision.',
            f"{self.reason} All of it is in the trash and stays there until somebody decides on the machine's page.",
        )


@dataclass(frozen=True)
class PurgeReleased(Event):
    """Somebody has looked, and what the machine deleted may be purged when its time comes."""

    vault: Vault
    machine: UUID
    reason: str

    def entry(self) -> Entry:
        """Why."""
        return Entry(Action.PURGE_RELEASE, self.vault, {"machine": str(self.machine), "reason": self.reason})

    def notices(self) -> Iterator[Withdrawal]:
        """There is nothing to decide any more."""
        yield Withdrawal(Topic.PURGE, self.machine)


@dataclass(frozen=True)
class PurgeWaits(Event):
    """What the machine deleted could be purged by now, but no check of the machine has shown that nothing is missed."""

    vault: Vault
    machine: UUID

    def notices(self) -> Iterator[Notice]:
        """What to do."""
        yield _notice(
            self.vault,
            self.machine,
            State.ATTENTION,
            f'The trash of {called(self.vault.pk, self.machine)} of vault "{self.vault.name}" waits for a check.',
            "Run `strongroom-agent check` on that machine: what was deleted is purged when a check begun since then"
            " misses nothing.",
        )


@dataclass(frozen=True)
class TrashPurged(Event):
    """Objects are about to be deleted from the trash for good. The entry comes first: no purge happens unseen.

    `locked_in` names the regions that keep them for some time yet, by object lock.
    """

    vault: Vault
    machine: UUID
    objects: int
    bytes: int
    locked_in: tuple[str, ...] = ()

    def entry(self) -> Entry:
        """How much, and that it was proven to be missed by nothing."""
        detail = {"machine": str(self.machine), "objects": self.objects, "bytes": self.bytes}
        return Entry(Action.TRASH_PURGE, self.vault, detail)

    def notices(self) -> Iterator[Notice]:
        """For information."""
        later = f" {' and '.join(self.locked_in)} frees the room when the object locks end." if self.locked_in else ""
        yield _notice(
            self.vault,
            self.machine,
            State.INFO,
            f'The trash of {called(self.vault.pk, self.machine)} of vault "{self.vault.name}" was purged.',
            f"{plural(self.objects, 'object')}, {size(self.bytes)}, had been there for"
            f" {plural(self.vault.soft_delete_days, 'day')}, and a check misses none of it.{later}",
        )


def _notice(vault: Vault, machine: UUID, state: State, title: str, step: str) -> Notice:
    url = reverse("agents:machine", args=[machine])
    return Notice(
        topic=Topic.PURGE, about=machine, state=state, title=title, step=step, url=url, subscription=vault.subscription
    )
