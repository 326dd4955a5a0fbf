"""`Event`, and `happened()`, which does with one all that has to be done.

An event is a value that says what it is about, and knows nothing of who hears of it. Some come again for as long as
something lasts, as a quota that is reached does with each measurement: who tells of events in another way than by an
entry in place, such as mail, has to compare with what was told before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db import models, transaction

from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import Actor
from portal.notifications.notices import Notice, Withdrawal
from portal.notifications.publish import show


@dataclass(frozen=True)
class Entry:
    """What the audit log says of an event; as `record()` takes it."""

    action: Action
    target: models.Model | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


class Event:
    """Something that has happened. Subclasses are frozen dataclasses of what it is about."""

    def entry(self) -> Entry | None:
        """Its entry in the audit log; None where there is none, or it was written with the change itself, as
        `advance()` and reports of machines do."""
        return None

    def notices(self) -> Iterable[Notice | Withdrawal]:
        """What people are shown because of it, and what they need to be shown no longer."""
        return ()


def happened(event: Event, *, actor: Actor) -> None:
    """Write the event's entry and show its notices, in the transaction of the change.

    Raises RuntimeError where none is open, and what the database raises, so that nothing happens of which nobody would
    know.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("An event belongs into the transaction of the change.")
    if entry := event.entry():
        record(entry.action, actor=actor, target=entry.target, detail=entry.detail)
    for notice in event.notices():
        show(notice)
