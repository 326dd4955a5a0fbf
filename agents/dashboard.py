"""How the machines of a vault are, for its Dashboard: in a fixed number of queries, however many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from uuid import UUID

from django.db.models import Count, F, Min, Q

from agents.concerns import troubled, with_damage
from agents.models import Machine, Run
from agents.states import ALLOWED_IN, OUT, MachineState
from portal.transitions import Look
from vaults.models import Vault

DAILY = timedelta(hours=26)
"""A machine that has not backed up for so long is late, unless it usually takes longer."""
LOOKED_BACK = timedelta(days=60)
SHOWN = 6
MOST = 50
"""So many machines that may be late are looked at; more are told as many."""
RUNS_EACH = 8


@dataclass(frozen=True)
class Late:
    """A machine that should have backed up by now; `usual`: the time that there usually is between two backups."""

    machine: Machine
    usual: timedelta | None


@dataclass(frozen=True)
class Estate:
    """The machines that the vault counts, by state; those that somebody must look at, and those that are late."""

    states: list[tuple[Look, int]]
    ready: int
    oldest_proof: datetime | None
    troubled: list[Machine]
    late: list[Late]
    last: Machine | None

    @property
    def troubled_shown(self) -> list[Machine]:
        """The first of them."""
        return self.troubled[:SHOWN]

    @property
    def late_shown(self) -> list[Late]:
        """Those that have waited longest."""
        return self.late[:SHOWN]


def estate_of(vault: Vault, now: datetime) -> Estate:
    """Read it, in at most five queries."""
    here = vault.machine_set.exclude(state__in=OUT)
    counted = here.order_by().values("state").annotate(number=Count("pk"), oldest=Min("last_restore_check_at"))
    found = {row["state"]: row for row in counted}
    ready = found.get(MachineState.READY)
    return Estate(
        states=[(look, found[state]["number"]) for state, look in Machine.STATES.looks.items() if state in found],
        ready=ready["number"] if ready else 0,
        oldest_proof=ready["oldest"] if ready else None,
        troubled=list(with_damage(vault.machine_set.all()).filter(troubled()).order_by("name_key", "id")[:MOST]),
        late=_late(vault, now),
        last=here.exclude(last_backup_at=None).order_by("-last_backup_at").first() if vault.last_backup_at else None,
    )


def _late(vault: Vault, now: datetime) -> list[Late]:
    overdue = Q(last_backup_at__lt=now - DAILY) | Q(last_backup_at=None, registered_at__lt=now - DAILY)
    waiting = vault.machine_set.filter(overdue, state__in=ALLOWED_IN)
    machines = list(waiting.order_by(F("last_backup_at").asc(nulls_first=True), "id")[:MOST])
    usual = _usual(machines, now) if machines else {}
    late = [Late(machine, usual.get(machine.pk)) for machine in machines]
    return [one for one in late if _is_over(one, now)]


def _is_over(late: Late, now: datetime) -> bool:
    last = late.machine.last_backup_at
    return last is None or late.usual is None or now - last > max(DAILY, late.usual * 1.5)


def _usual(machines: Sequence[Machine], now: datetime) -> dict[UUID, timedelta]:
    """The median time between the backups of each machine of which at least three are known of late."""
    runs = Run.objects.filter(machine__in=machines, kind=Run.Kind.BACKUP, outcome=Run.Outcome.SUCCEEDED)
    recent = runs.filter(finished_at__gt=now - LOOKED_BACK).order_by("-finished_at")
    moments: dict[UUID, list[datetime]] = {}
    for machine_id, moment in recent.values_list("machine_id", "finished_at")[: MOST * RUNS_EACH]:
        moments.setdefault(machine_id, []).append(moment)
    return {
        machine_id: timedelta(seconds=median((newer - older).total_seconds() for newer, older in pairwise(each)))
        for machine_id, each in moments.items()
        if len(each) > 2
    }
