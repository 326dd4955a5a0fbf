"""Reading the log is noted in the log: once for each person and filter in ten minutes."""

from portal.audit.actions import Action
from portal.audit.queries import Filter, read_lately
from portal.audit.record import record
from portal.core.actor import Actor


def note(actor: Actor, chosen: Filter) -> None:
    """Write that `actor` reads what `chosen` asks for, unless that was written lately."""
    _note(actor, chosen.words)


def note_entry(actor: Actor, number: int) -> None:
    """The same for the page of one entry."""
    _note(actor, {"entry": number})


def _note(actor: Actor, words: dict[str, object]) -> None:
    if not read_lately(actor, words):
        record(Action.AUDIT_READ, actor=actor, detail=words)
