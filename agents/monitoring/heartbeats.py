"""Signs of life, as many in a minute as make sense, and with them what a machine says a second time."""

from datetime import datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

from django.db.models import Case, F, Q, QuerySet, Value, When

from agents.models import Machine
from portal.core.errors import Throttled
from portal.core.prepared import prepared_update

MOST_IN_A_MINUTE = 20
"""Heartbeats and repetitions together. The agent repeats a message whose answer was lost about four times."""
MINUTE = timedelta(minutes=1)


def note(machine: Machine, *, at: datetime, **facts: Any) -> None:
    """Note that the machine lives, and the facts that it told; raises Throttled for one sign of life too many."""
    _count(machine, at, last_seen_at=at, **facts)


def note_repetition(machine: Machine, *, at: datetime) -> None:
    """Count a message that is answered as before; raises Throttled for one too many.

    What is new has bounds of its own, so a repetition keeps no first report from being taken. Call it before the
    message is spent, whose row is what a flood of repetitions would leave behind.
    """
    _count(machine, at)


def _count(machine: Machine, at: datetime, **facts: Any) -> None:
    """One statement, so that of many at once no more than the bound are taken."""
    if not _counted(machine.pk, at, at - MINUTE, *facts.values(), facts=tuple(facts)):
        since = Machine.objects.values_list("pulses_since", flat=True).get(pk=machine.pk) or at
        raise Throttled(
            f"This machine has sent {MOST_IN_A_MINUTE} heartbeats or repeated messages within a minute.",
            retry_after=max(1, ceil((since + MINUTE - at).total_seconds())),
        )


@prepared_update
def _counted(
    machine_id: UUID, at: datetime, a_minute_ago: datetime, *values: Any, facts: tuple[str, ...]
) -> tuple[QuerySet[Machine], dict[str, object]]:
    over = Q(pulses_since=None) | Q(pulses_since__lte=a_minute_ago)
    counts: dict[str, object] = {
        "pulses": Case(When(over, then=Value(1)), default=F("pulses") + 1),
        "pulses_since": Case(When(over, then=at), default=F("pulses_since")),
    }
    machine = Machine.objects.filter(over | Q(pulses__lt=MOST_IN_A_MINUTE), pk=machine_id)
    return machine, counts | dict(zip(facts, values, strict=True))
