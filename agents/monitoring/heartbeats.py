"""Signs of life, as many in a minute as make sense."""

from datetime import datetime, timedelta
from math import ceil

from django.db.models import Case, F, Q, Value, When

from agents.models import Machine
from portal.core.errors import Throttled

MOST_IN_A_MINUTE = 20
MINUTE = timedelta(minutes=1)


def note(machine: Machine, *, at: datetime, **facts: object) -> None:
    """Note that the machine lives, and the facts that it told; raises Throttled for one sign of life too many.

    One statement, so that of many at once no more than the bound are taken.
    """
    over = Q(pulses_since=None) | Q(pulses_since__lte=at - MINUTE)
    counted = Machine.objects.filter(over | Q(pulses__lt=MOST_IN_A_MINUTE), pk=machine.pk).update(
        last_seen_at=at,
        pulses=Case(When(over, then=Value(1)), default=F("pulses") + 1),
        pulses_since=Case(When(over, then=Value(at)), default=F("pulses_since")),
        **facts,
    )
    if not counted:
        since = Machine.objects.values_list("pulses_since", flat=True).get(pk=machine.pk) or at
        raise Throttled(
            f"This machine has sent {MOST_IN_A_MINUTE} heartbeats within a minute.",
            retry_after=max(1, ceil((since + MINUTE - at).total_seconds())),
        )
