"""Machines whose backups do not come as their schedules promise: in words, and from when on."""

from datetime import datetime

from agents.models import Machine
from agents.states import fades_from, late_from, unproven_from
from portal.core.times import for_people

REMEDY = (
    "See that the machine is on and reaches Strongroom; strongroom-agent doctor on it finds what is wrong. The warning "
    "ends with its next backup. If it is gone for good, revoke it; if it needs no schedule, run strongroom-agent "
    "schedule off on it."
)


def described(machine: Machine) -> str:
    """What it promised and what came."""
    every = machine.backup_every_hours or 0
    how_often = "daily" if every == 24 else f"every {every} hours" if every % 24 else f"every {every // 24} days"
    last = (
        f"the last one ended on {for_people(machine.last_backup_at)}" if machine.last_backup_at else "none has come yet"
    )
    return f"Its schedule promises a backup {how_often}; {last}."


def facts_of_schedule(machine: Machine, every_hours: int | None, at: datetime) -> dict[str, object]:
    """The columns that change when it tells of a schedule; none when that is the one which is known.

    What a new schedule promises counts from now: nobody is late for what was never promised.
    """
    if every_hours == machine.backup_every_hours:
        return {}
    late = late_from(at, every_hours) if every_hours else None
    proven = machine.last_restore_check_at
    return {
        "backup_every_hours": every_hours,
        "late_from": late,
        "late_told_at": None,
        "fades_from": fades_from(proven, every_hours) if proven else None,
        "unproven_from": unproven_from(proven, every_hours) if proven else None,
    }


def after_backup(machine: Machine, ended: datetime) -> datetime | None:
    """From when on it is late now that a backup has ended; None where nothing is to be changed."""
    if machine.backup_every_hours is None:
        return None
    late = late_from(ended, machine.backup_every_hours)
    return late if machine.late_from is None or late > machine.late_from else None
