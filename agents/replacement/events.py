"""What happens to replacements: those who can decide hear of them while they wait, then how each ended."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from agents.models import ReplacementRequest
from agents.replacement.queries import download_until
from agents.states import MachineState
from portal.accounts.models import User
from portal.approvals.policy import OPEN_FOR
from portal.audit.actions import Action
from portal.core.times import for_people
from portal.events.event import Entry, Event
from portal.notifications.models import Notification
from portal.notifications.notices import Notice, Topic, Withdrawal

State = Notification.State


@dataclass(frozen=True)
class ReplacementRequested(Event):
    """Somebody asks that another computer may take a machine's place."""

    request: ReplacementRequest

    def entry(self) -> Entry:
        """Of which machine, and why."""
        detail = {"machine": str(self.request.machine_id), "reason": self.request.reason}
        return Entry(Action.REPLACEMENT_ASK, self.request, detail)

    def notices(self) -> Iterator[Notice]:
        """The other members and the approvers hear that a second person is needed."""
        request, machine = self.request, self.request.machine
        who = request.requested_by
        yield Notice(
            topic=Topic.REPLACEMENT,
            about=request.pk,
            state=State.ATTENTION,
            title=f'{who.display_name} requests the replacement of machine "{machine.name}" of "{machine.vault.name}".',
            step=f"A second person has to agree, within {OPEN_FOR.days} days.",
            url=_url(request),
            subscription=machine.vault.subscription,
            for_approvers=True,
            requester=who,
        )


@dataclass(frozen=True)
class ReplacementAgreed(Event):
    """A second person has agreed; the credential is made when it is downloaded."""

    request: ReplacementRequest
    by: User
    comment: str

    def notices(self) -> Iterator[Notice | Withdrawal]:
        """Its people hear until when it can be used."""
        if until := download_until(self.request):
            who, by = self.request.requested_by.display_name, self.by.display_name
            step = f"{who} can download its credentials until {for_people(until)}. "
            step += f"{by}: {self.comment}" if self.comment else f"By {by}."
            yield from _decided(self.request, State.INFO, "was agreed to", step)


@dataclass(frozen=True)
class ReplacementRejected(Event):
    """Somebody said no, and why."""

    request: ReplacementRequest
    by: User
    comment: str

    def notices(self) -> Iterator[Notice | Withdrawal]:
        """Its people hear who it was."""
        yield from _decided(self.request, State.ATTENTION, "was rejected", f"{self.by.display_name}: {self.comment}")


@dataclass(frozen=True)
class ReplacementCancelled(Event):
    """Somebody took it back."""

    request: ReplacementRequest
    by: User

    def notices(self) -> Iterator[Notice | Withdrawal]:
        """Its people hear who it was."""
        yield from _decided(self.request, State.INFO, "was cancelled", f"By {self.by.display_name}.")


@dataclass(frozen=True)
class ReplacementCalledOff(Event):
    """The machine was shut out after the agreement, and is `now` that."""

    request: ReplacementRequest
    now: MachineState

    def notices(self) -> Iterator[Notice | Withdrawal]:
        """Its people hear why the agreement no longer counts."""
        step = f"The machine was {self.now.lower()} after the replacement had been agreed. Request it again if needed."
        yield from _decided(self.request, State.ATTENTION, "was cancelled", step)


@dataclass(frozen=True)
class ReplacementExpired(Event):
    """It was not decided, or not used, in time."""

    request: ReplacementRequest

    def notices(self) -> Iterator[Notice | Withdrawal]:
        """Its people hear what they can do."""
        step = "It was not decided or not used in time. Request it again if needed."
        yield from _decided(self.request, State.ATTENTION, "has expired", step)


def _decided(
    request: ReplacementRequest, state: Notification.State, how: str, step: str
) -> Iterator[Notice | Withdrawal]:
    yield Withdrawal(Topic.REPLACEMENT, request.pk)
    yield Notice(
        topic=Topic.REPLACEMENT_OUTCOME,
        about=request.machine_id,
        state=state,
        title=f'The replacement of machine "{request.machine.name}" {how}.',
        step=step,
        url=_url(request),
        subscription=request.machine.vault.subscription,
    )


def _url(request: ReplacementRequest) -> str:
    return reverse("agents:replacement", args=[request.machine_id])
