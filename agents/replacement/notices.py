"""Notifications about replacements: to those who can decide while it waits, then how it ended."""

from django.urls import reverse

from agents.models import ReplacementRequest
from agents.replacement.queries import download_until
from agents.states import MachineState
from portal.approvals.policy import OPEN_FOR
from portal.core.actor import Actor
from portal.core.times import for_people
from portal.notifications.models import Notification
from portal.notifications.publish import publish, put_away, withdraw

State = Notification.State


def waiting(asked: ReplacementRequest) -> None:
    """Tell the other members of the subscription and the approvers that a second person is needed."""
    machine = asked.machine
    publish(
        _open_key(asked),
        state=State.ATTENTION,
        title=(
            f'{asked.requested_by.display_name} requests the replacement of machine "{machine.name}" of '
            f'"{machine.vault.name}".'
        ),
        step=f"A second person has to agree, within {OPEN_FOR.days} days.",
        url=_url(asked),
        subscription=machine.vault.subscription,
        for_approvers=True,
    )
    put_away(_open_key(asked), asked.requested_by)


def agreed(asked: ReplacementRequest, actor: Actor, comment: str) -> None:
    """Take the entry for those who decide away, and tell the subscription's people until when it can be used."""
    if until := download_until(asked):
        who, by = asked.requested_by.display_name, actor.person.display_name
        step = f"{who} can download its credentials until {for_people(until)}. "
        _notify(asked, State.INFO, "was agreed to", step + (f"{by}: {comment}" if comment else f"By {by}."))


def rejected(asked: ReplacementRequest, actor: Actor, comment: str) -> None:
    """Tell the subscription's people who said no, and why."""
    _notify(asked, State.ATTENTION, "was rejected", f"{actor.person.display_name}: {comment}")


def cancelled(asked: ReplacementRequest, actor: Actor) -> None:
    """Tell the subscription's people that somebody took it back."""
    _notify(asked, State.INFO, "was cancelled", f"By {actor.person.display_name}.")


def called_off(asked: ReplacementRequest, now: MachineState) -> None:
    """Tell the subscription's people that the agreement has ended, since the machine was shut out and is `now` that."""
    _notify(
        asked,
        State.ATTENTION,
        "was cancelled",
        f"The machine was {now.lower()} after the replacement had been agreed. Request it again if needed.",
    )


def expired(asked: ReplacementRequest) -> None:
    """Tell the subscription's people that it was not decided, or not used, in time."""
    _notify(
        asked, State.ATTENTION, "has expired", "It was not decided or not used in time. Request it again if needed."
    )


def _notify(asked: ReplacementRequest, state: Notification.State, how: str, step: str) -> None:
    withdraw(_open_key(asked))
    publish(
        f"replacement-outcome:{asked.machine_id}",
        state=state,
        title=f'The replacement of machine "{asked.machine.name}" {how}.',
        step=step,
        url=_url(asked),
        subscription=asked.machine.vault.subscription,
    )


def _open_key(asked: ReplacementRequest) -> str:
    return f"replacement:{asked.pk}"


def _url(asked: ReplacementRequest) -> str:
    return reverse("agents:replacement", args=[asked.machine_id])
