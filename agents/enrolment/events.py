"""How machines come and go: nobody registers, takes a place or leaves unseen."""

from collections.abc import Iterator
from dataclasses import dataclass

from agents.models import Machine
from agents.monitoring.events import about_machine
from portal.audit.actions import Action
from portal.core.times import for_people
from portal.events.event import Entry, Event
from portal.notifications.models import Notification
from portal.notifications.notices import Notice, Topic, Withdrawal
from vaults.models import Credential

State = Notification.State


@dataclass(frozen=True)
class MachineRegistered(Event):
    """A machine has come, with the key of a credential."""

    machine: Machine
    credential: Credential
    address: str

    def entry(self) -> Entry:
        """Whose credential it had, and what it says it is."""
        detail = {
            "vault": self.machine.vault.name,
            "credential": self.credential.serial,
            "issued_by": self.credential.issued_by.username,
            "platform": self.machine.platform,
        }
        return Entry(Action.MACHINE_REGISTER, self.machine, detail)

    def notices(self) -> Iterator[Notice]:
        """Who came, from where, and with whose file."""
        title = f'Machine "{self.machine.name}" registered with vault "{self.machine.vault.name}".'
        yield about_machine(
            self.machine, Topic.MACHINE_REGISTER, State.INFO, title, _came(self.credential, self.address)
        )


@dataclass(frozen=True)
class PlaceTaken(Event):
    """Another computer has taken the machine's place."""

    machine: Machine
    credential: Credential
    address: str

    def notices(self) -> Iterator[Notice | Withdrawal]:
        """Who came; what was told of the computer before no longer counts."""
        for topic in (Topic.MACHINE_SUSPEND, Topic.MACHINE_UNREGISTER, Topic.MACHINE_READY, Topic.REPLACEMENT_OUTCOME):
            yield Withdrawal(topic, self.machine.pk)
        yield about_machine(
            self.machine,
            Topic.MACHINE_REPLACE,
            State.INFO,
            f'Another computer has taken the place of machine "{self.machine.name}" in vault'
            f' "{self.machine.vault.name}".',
            f"{_came(self.credential, self.address)} All its earlier certificates have been revoked.",
        )


@dataclass(frozen=True)
class MachineSuspended(Event):
    """Two holders of one identity exist."""

    machine: Machine
    address: str  # of the one who came with the old copy

    def notices(self) -> Iterator[Notice]:
        """What its people should find out."""
        yield about_machine(
            self.machine,
            Topic.MACHINE_SUSPEND,
            State.ATTENTION,
            f'Machine "{self.machine.name}" of vault "{self.machine.vault.name}" is suspended.',
            f"An old copy of its identity was used from {self.address}. Find out which computer is the right one, then"
            " replace or revoke the machine.",
        )


@dataclass(frozen=True)
class MachineUnregistered(Event):
    """A machine has left."""

    machine: Machine
    address: str

    def notices(self) -> Iterator[Notice]:
        """From where it said so."""
        yield about_machine(
            self.machine,
            Topic.MACHINE_UNREGISTER,
            State.INFO,
            f'Machine "{self.machine.name}" has left vault "{self.machine.vault.name}".',
            f"It unregistered itself, from {self.address}. Its backups are kept.",
        )


def _came(credential: Credential, address: str) -> str:
    if credential.by_code:
        return (
            f"From {address}, with a one-time code that {credential.issued_by} had shown, redeemed at"
            f" {for_people(credential.issued_at)}."
        )
    return (
        f"From {address}, with the credential that {credential.issued_by} downloaded at"
        f" {for_people(credential.issued_at)}."
    )
