"""What the reports of machines make of them: ready, in need of attention, or no longer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from agents.models import Machine, Run
from agents.monitoring import concerns, lateness, restore_time
from agents.states import Concern
from portal.audit.actions import Action
from portal.core.times import for_people
from portal.events.event import Entry, Event
from portal.notifications.models import Notification
from portal.notifications.notices import Notice, Topic, Withdrawal

State = Notification.State
TOPICS: Mapping[str, Topic] = {
    Run.Kind.BACKUP: Topic.MACHINE_BACKUP,
    Run.Kind.RESTORE_CHECK: Topic.MACHINE_RESTORE_CHECK,
    Run.Kind.RESTORE: Topic.MACHINE_RESTORE,
    Run.Kind.CHECK: Topic.MACHINE_CHECK,
    Run.Kind.REPAIR: Topic.MACHINE_REPAIR,
    Run.Kind.RETAIN: Topic.MACHINE_RETAIN,
}


@dataclass(frozen=True)
class MachineReady(Event):
    """It has backed up, and a restore was compared."""

    machine: Machine
    at: datetime

    def notices(self) -> Iterator[Notice]:
        """Since when."""
        yield about_machine(
            self.machine,
            Topic.MACHINE_READY,
            State.SUCCEEDED,
            f'Machine "{self.machine.name}" of vault "{self.machine.vault.name}" is ready.',
            f"Ready: backed up and restored on {for_people(self.at)}",
        )


@dataclass(frozen=True)
class RunFailed(Event):
    """A run has failed."""

    machine: Machine
    run: Run

    def notices(self) -> Iterator[Notice]:
        """What the machine said of it."""
        machine, kind = self.machine, Run.Kind(self.run.kind)
        title = f'{kind.label} of machine "{machine.name}" in vault "{machine.vault.name}" failed.'
        yield about_machine(machine, TOPICS[self.run.kind], State.FAILED, title, self.run.description)


@dataclass(frozen=True)
class ConcernRaised(Event):
    """A run has ended well, and yet somebody must look at the machine."""

    machine: Machine
    run: Run
    concern: Concern

    def notices(self) -> Iterator[Notice]:
        """Why."""
        machine = self.machine
        title = concerns.title_of(self.concern, machine.name, machine.vault.name)
        yield about_machine(machine, TOPICS[self.run.kind], State.ATTENTION, title, self.run.description)


@dataclass(frozen=True)
class ConcernEnded(Event):
    """What a run of the kind may have raised is over, as of each run of it that ends well."""

    machine: Machine
    kind: str

    def notices(self) -> Iterator[Withdrawal]:
        """Nobody needs to look any more."""
        yield Withdrawal(TOPICS[self.kind], self.machine.pk)


@dataclass(frozen=True)
class MachineLate(Event):
    """The backup that its schedule promises has not come."""

    machine: Machine

    def entry(self) -> Entry:
        """So that it is known who was told when."""
        return Entry(Action.MACHINE_LATE, self.machine, {"every_hours": self.machine.backup_every_hours})

    def notices(self) -> Iterator[Notice]:
        """Since when, and what to do."""
        title = f'Machine "{self.machine.name}" of vault "{self.machine.vault.name}" is late with its backup.'
        step = f"{lateness.described(self.machine)} {lateness.REMEDY}"
        yield about_machine(self.machine, Topic.MACHINE_LATE, State.ATTENTION, title, step)


@dataclass(frozen=True)
class LatenessEnded(Event):
    """A backup has come, or none is promised any more."""

    machine: Machine

    def notices(self) -> Iterator[Withdrawal]:
        """Nobody needs to look any more."""
        yield Withdrawal(Topic.MACHINE_LATE, self.machine.pk)


@dataclass(frozen=True)
class MachineUnproven(Event):
    """Its newest proof is older than it should be."""

    machine: Machine

    def entry(self) -> Entry:
        """So that it is known who was told when."""
        proven = self.machine.last_restore_check_at
        return Entry(Action.MACHINE_UNPROVEN, self.machine, {"since": for_people(proven)} if proven else {})

    def notices(self) -> Iterator[Notice]:
        """Since when, and what to do."""
        machine = self.machine
        title = f'Of machine "{machine.name}" of vault "{machine.vault.name}" no restore was proven lately.'
        step = f"{restore_time.unproven_described(machine)} {restore_time.UNPROVEN_REMEDY}"
        yield about_machine(machine, Topic.MACHINE_UNPROVEN, State.ATTENTION, title, step)


@dataclass(frozen=True)
class UnprovenEnded(Event):
    """A restore was proven again."""

    machine: Machine

    def notices(self) -> Iterator[Withdrawal]:
        """Nobody needs to look any more."""
        yield Withdrawal(Topic.MACHINE_UNPROVEN, self.machine.pk)


@dataclass(frozen=True)
class MachineSlow(Event):
    """Restoring all of it would take longer than its vault's people expect."""

    machine: Machine

    def entry(self) -> Entry:
        """Both times."""
        machine = self.machine
        hours = {"expected_hours": machine.vault.expected_restore_hours}
        return Entry(Action.MACHINE_SLOW, machine, {"takes": restore_time.takes(machine), **hours})

    def notices(self) -> Iterator[Notice]:
        """How long, and what to do."""
        machine = self.machine
        title = f'Machine "{machine.name}" of vault "{machine.vault.name}" would be restored too slowly.'
        step = f"{restore_time.slow_described(machine)} {restore_time.SLOW_REMEDY}"
        yield about_machine(machine, Topic.MACHINE_SLOW, State.ATTENTION, title, step)


@dataclass(frozen=True)
class SlownessEnded(Event):
    """It would be back in time again, or nobody expects a time any more."""

    machine: Machine

    def notices(self) -> Iterator[Withdrawal]:
        """Nobody needs to look any more."""
        yield Withdrawal(Topic.MACHINE_SLOW, self.machine.pk)


def about_machine(machine: Machine, topic: Topic, state: Notification.State, title: str, step: str) -> Notice:
    """A notice for the people of the machine's vault, which leads to the machine's page."""
    return Notice(
        topic=topic,
        about=machine.pk,
        state=state,
        title=title,
        step=step,
        url=f"/machines/{machine.pk}/",
        subscription=machine.vault.subscription,
    )
