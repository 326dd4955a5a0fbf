"""How long a restore of all of a machine would take, and how old its proof is, in words."""

from datetime import timedelta

from agents.models import Machine
from portal.core.times import for_people
from portal.templatetags.amounts import binary, plural

UNPROVEN_REMEDY = (
    "Run strongroom-agent check on the machine, and see with strongroom-agent schedule that it backs itself up. The "
    "warning ends with the next restore check that proves files."
)
SLOW_REMEDY = (
    "Look at the line between the machine and the region, and at a limit of its bandwidth (strongroom-agent schedule); "
    "protect less with it, or expect another time on the vault's Configure tab."
)


def unproven_described(machine: Machine) -> str:
    """When the newest proof was, and what that is measured by."""
    proven = machine.last_restore_check_at
    since = f"The newest proof of a restore is of {for_people(proven)}" if proven else "No restore was proven yet"
    every = machine.backup_every_hours
    promised = f"its schedule promises a backup every {plural(every, 'hour')}" if every else "it has no schedule"
    return f"{since}; {promised}."


def slow_described(machine: Machine) -> str:
    """How long it would take, and what is expected."""
    expected = machine.vault.expected_restore_hours
    text = f"Restoring all of it ({binary(machine.restore_bytes or 0)}) would take about {takes(machine)}"
    return (
        f"{text}; {plural(expected, 'hour')} {'is' if expected == 1 else 'are'} expected." if expected else f"{text}."
    )


def takes(machine: Machine) -> str:
    """A time as long as this is known no better than to the minute: `3 h 10 min`, `2 days 4 h`."""
    return about(timedelta(seconds=machine.restore_seconds or 0))


def about(length: timedelta) -> str:
    """A time in its two largest units."""
    seconds = max(1, round(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(minutes / 60)
    return f"{plural(hours // 24, 'day')} {hours % 24} h"
