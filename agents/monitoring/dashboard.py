"""How the machines of a vault are, for its Dashboard: in a fixed number of queries, however many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from uuid import UUID

from django.db.models import Case, Count, F, Min, Q, When
from django.db.models.functions import Now

from agents.models import Machine, Run
from agents.monitoring.concerns import needs_attention, with_damage
from agents.monitoring.stored import Retained, retained
from agents.states import ALLOWED_IN, CONCERNS, FADED, OUT, Concern, MachineState
from portal.core.states import StateDisplay
from vaults.models import Vault

DAILY = timedelta(hours=26)
"""A machine that has not backed up for so long is late, unless it usually takes longer."""
LOOKED_BACK = timedelta(days=60)
SHOWN = 6
MOST = 50
"""So many machines that may be late are looked at; more are told as many."""
RUNS_EACH = 8
_DOUBTS = (Concern.DAMAGED, Concern.CHECK_FAILED, Concern.RESTORE_CHECK_FAILED)
"""What speaks against a proof of restore from before."""
_DOUBTED = [CONCERNS[concern] for concern in _DOUBTS]
_PROOF = "last_restore_check_at"


@dataclass(frozen=True)
class Late:
    """A machine without a schedule of its own that should have backed up by now, by what is usual for it: `usual` is
    the time that there usually is between two backups. One with a schedule needs attention when it is late."""

    machine: Machine
    usual: timedelta | None


@dataclass(frozen=True)
class Estate:
    """The machines that the vault counts, by state; those that somebody must look at, and those that are late.

    `states` counts Ready ones in green as long as their proof is young, and in grey those with an old one.
    `proven`: how many are Ready and nothing has cast doubt on that since, as far as `needing_attention` goes.
    """

    states: list[tuple[StateDisplay, int]]
    proven: int
    oldest_proof: datetime | None
    needing_attention: list[Machine]
    late: list[Late]
    retained: Retained

    @property
    def needing_attention_shown(self) -> list[Machine]:
        """The first of them."""
        return self.needing_attention[:SHOWN]

    @property
    def waited_for(self) -> int:
        """How many machines are late, by their schedule or by what is usual."""
        return len(self.late) + sum(one.lateness is not None for one in self.needing_attention)

    @property
    def late_shown(self) -> list[Late]:
        """Those that have waited longest."""
        return self.late[:SHOWN]


def estate_of(vault: Vault, now: datetime) -> Estate:
    """Read it, in at most seven queries."""
    here, sure = vault.machines.exclude(state__in=OUT), ~Q(concern__in=_DOUBTS)
    old = Q(fades_from__lte=now)
    counted = (
        here.order_by()
        .values("state")
        .annotate(number=Count("pk"), oldest=Min(_PROOF, filter=sure), old=Count("pk", filter=old))
    )
    numbers: dict[str, int] = {row["state"]: row["number"] for row in counted}
    faded = next((row["old"] for row in counted if row["state"] == MachineState.READY), 0)
    oldest: dict[str, datetime] = {row["state"]: row["oldest"] for row in counted if row["oldest"]}
    looked_at = _worst_first(vault)
    doubted = sum(
        one.state == MachineState.READY and (one.attention in _DOUBTED or one.unproven is not None) for one in looked_at
    )
    return Estate(
        states=_shown(numbers, faded),
        proven=numbers.get(MachineState.READY, 0) - doubted,
        oldest_proof=oldest.get(MachineState.READY),
        needing_attention=looked_at,
        late=_late(vault, now),
        retained=retained(vault, now),
    )


def _shown(numbers: dict[str, int], faded: int) -> list[tuple[StateDisplay, int]]:
    young = {**numbers, MachineState.READY: numbers.get(MachineState.READY, 0) - faded}
    shown = [(look, young[state]) for state, look in Machine.STATES.looks.items() if young.get(state)]
    return [*shown, (FADED, faded)] if faded else shown


def _worst_first(vault: Vault) -> list[Machine]:
    """Of those that need attention the ones that have promised a backup for longest, then the others by name; what is
    red before what is amber."""
    waiting = Case(When(late_from__lte=Now(), then=F("late_from")))
    needing = with_damage(vault.machines.all()).filter(needs_attention())
    found = list(needing.order_by(waiting.asc(nulls_last=True), "name_key", "id")[:MOST])
    return sorted(found, key=lambda one: one.attention is None or one.attention.colour != "red")


def _late(vault: Vault, now: datetime) -> list[Late]:
    overdue = Q(last_backup_at__lt=now - DAILY) | Q(last_backup_at=None, registered_at__lt=now - DAILY)
    waiting = vault.machines.filter(overdue, state__in=ALLOWED_IN, late_from=None)
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
