"""How old the proof is that a machine's green rests on, and telling people when it is too old or a restore too slow."""

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Case, Q, QuerySet, Value, When

from agents.models import Machine
from agents.monitoring.events import MachineSlow, MachineUnproven, SlownessEnded, UnprovenEnded
from agents.states import ALLOWED_IN, MachineState, fades_from, unproven_from
from portal.core.actor import SYSTEM, Actor
from portal.events.event import Event, happened

_KEPT = ("proven", "compared", "total")
LONGEST = 100 * 365 * 86400
"""Seconds; an estimate that is longer says no more than that."""


def note_proof(machine: Machine, figures: Mapping[str, int], ended: datetime, *, actor: Actor) -> None:
    """A restore was proven: what the page says of it, and from when on it is too old, for the machine, which is locked.

    An older one that comes late changes nothing.
    """
    if machine.last_restore_check_at != ended:
        return
    was_told = machine.unproven_told_at is not None
    facts: dict[str, object] = {
        "proof": {name: number for name, number in figures.items() if name in _KEPT},
        "fades_from": fades_from(ended, machine.backup_every_hours),
        "unproven_from": unproven_from(ended, machine.backup_every_hours),
        "unproven_told_at": None,
    }
    _change(machine, facts)
    if was_told:
        happened(UnprovenEnded(machine), actor=actor)


def note_rate(machine: Machine, figures: Mapping[str, int], ended: datetime, expected_hours: int | None) -> None:
    """Keep how long it would take to restore all of it, by what this restore check measured; the newest counts."""
    seconds = estimate(figures)
    if seconds is None or (machine.restore_measured_at is not None and machine.restore_measured_at > ended):
        return
    slow = expected_hours is not None and seconds > expected_hours * 3600
    measured = {"restore_bytes": figures["total_bytes"], "restore_measured_at": ended, "restore_slow": slow}
    _change(machine, {"restore_seconds": seconds, **measured})


def estimate(figures: Mapping[str, int]) -> int | None:
    """Seconds to restore all of the snapshot: as many times as long as its part took as it has more bytes, or more
    files, whichever is more. None when nothing was measured."""
    if not figures.get("restored") or not {"restore_ms", "total", "total_bytes"} <= figures.keys():
        return None
    shares = [1.0, figures["total"] / figures["restored"]]
    if figures.get("restored_bytes"):
        shares.append(figures["total_bytes"] / figures["restored_bytes"])
    return min(LONGEST, max(1, round(figures["restore_ms"] / 1000 * max(shares))))


def expect(vault_id: UUID, hours: int | None) -> None:
    """The vault's people expect another restore time: which of its machines are too slow, in one statement."""
    slow = (
        Case(When(restore_seconds__gt=hours * 3600, then=Value(True)), default=Value(False)) if hours else Value(False)
    )
    Machine.objects.filter(vault=vault_id).update(restore_slow=slow)


def tell(now: datetime, most: int) -> int:
    """Tell people once of each machine whose proof has become too old, or whose restore is too slow, and take back what
    is over: at most so many of each in one round; how many were told of."""
    machines, old = Machine.objects, Q(unproven_from__lte=now, state=MachineState.READY)
    told = _tell(machines.filter(old, unproven_told_at=None), most, MachineUnproven, unproven_told_at=now)
    slow = machines.filter(restore_slow=True, slow_told_at=None, state__in=ALLOWED_IN)
    told += _tell(slow, most, MachineSlow, slow_told_at=now)
    young_again = machines.exclude(old).filter(unproven_told_at__isnull=False)
    _tell(young_again, most, UnprovenEnded, unproven_told_at=None)
    fast_again = machines.filter(restore_slow=False, slow_told_at__isnull=False)
    _tell(fast_again, most, SlownessEnded, slow_told_at=None)
    return told


def _tell(machines: QuerySet[Machine], most: int, event: Callable[[Machine], Event], **change: datetime | None) -> int:
    number = 0
    for machine in machines.select_related("vault__subscription").order_by("pk")[:most]:
        with transaction.atomic():
            if machines.filter(pk=machine.pk).update(**change):  # what has changed meanwhile is told next time
                happened(event(machine), actor=SYSTEM)
                number += 1
    return number


def _change(machine: Machine, facts: dict[str, object]) -> None:
    Machine.objects.filter(pk=machine.pk).update(**facts)
    for name, value in facts.items():
        setattr(machine, name, value)
