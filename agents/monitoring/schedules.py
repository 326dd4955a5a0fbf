"""What machines tell of their schedules, what follows from that, and telling people of machines that are late."""

from datetime import datetime

from django.db import transaction

from agents.models import Machine
from agents.monitoring import lateness
from agents.monitoring.events import LatenessEnded, MachineLate
from agents.states import ALLOWED_IN
from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import SYSTEM, Actor
from portal.events.event import happened


def note(machine: Machine, every_hours: int | None, *, actor: Actor, at: datetime) -> None:
    """Keep the schedule that the machine tells of (None: it has none), in the transaction of the message; a change is
    recorded.

    Without it a thief could say in the machine's name, and unseen, that no backup is to be expected any more.
    """
    facts = lateness.facts_of_schedule(machine, every_hours, at)
    if not facts:
        return
    before = machine.backup_every_hours
    # The first of several messages at once notes it.
    if not Machine.objects.filter(pk=machine.pk, backup_every_hours=before).update(**facts):
        return
    was_told = machine.late_told_at is not None
    for name, value in facts.items():
        setattr(machine, name, value)
    detail = {"before": before, "every_hours": machine.backup_every_hours}
    record(Action.MACHINE_SCHEDULE, actor=actor, target=machine, detail=detail)
    if was_told:
        happened(LatenessEnded(machine), actor=actor)


def backed_up(machine: Machine, ended: datetime, *, actor: Actor) -> None:
    """A backup has come: the machine, which is locked, is late no more, if it is new enough."""
    late = lateness.after_backup(machine, ended)
    if late is None:
        return
    was_told = machine.late_told_at is not None
    Machine.objects.filter(pk=machine.pk).update(late_from=late, late_told_at=None)
    machine.late_from, machine.late_told_at = late, None
    if was_told:
        happened(LatenessEnded(machine), actor=actor)


def tell_of_late(now: datetime, most: int) -> int:
    """Tell people once of each machine that has become late, at most so many in one round; how many they were."""
    late = Machine.objects.filter(late_from__lte=now, late_told_at=None, state__in=ALLOWED_IN)
    told = 0
    for machine in late.select_related("vault__subscription").order_by("late_from")[:most]:
        with transaction.atomic():
            same = Machine.objects.filter(pk=machine.pk, late_told_at=None, late_from=machine.late_from)
            if same.update(late_told_at=now):
                happened(MachineLate(machine), actor=SYSTEM)
                told += 1
    return told
