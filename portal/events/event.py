"""`Event`, and `happened()`, which does with one all that has to be done.

Whoever wants to tell of events in another way, by mail or to another program, does it in `happened()`: an event is a
value that says what it is about, and knows nothing of who hears of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from django.db import models

from portal.audit.record import record
from portal.core.actor import Actor
from portal.notifications.notices import Notice, Withdrawal


@dataclass(frozen=True)
class Entry:
    """What the audit log says of an event; as `record()` takes it."""

    action: StrEnum
    target: models.Model | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


class Event:
    """Something that has happened. Subclasses are frozen dataclasses of what it is about."""

    def entry(self) -> Entry | None:
        """Its entry in the audit log; None for a change of state, whose entry `advance()` has written."""
        return None

    def notices(self) -> Iterable[Notice | Withdrawal]:
        """What people are shown because of it, and what they need to be shown no longer."""
        return ()


def happened(event: Event, *, actor: Actor) -> None:
    """Write the event's entry and show its notices, in the transaction of the change, which is open.

    Raises what the database raises, so that nothing happens of which nobody would know.
    """
    if entry := event.entry():
        record(entry.action, actor=actor, target=entry.target, detail=entry.detail)
    for each in event.notices():
        each.apply()
