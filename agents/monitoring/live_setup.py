"""The setups that are under way, step by step: what machines have told, joined with what is known for a fact."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, QuerySet

from agents.models import Machine, Onboarding
from agents.states import MachineState, SetupStep, StepState
from portal.templatetags.amounts import binary, duration, plural

AT_WORK = timedelta(hours=1)
"""For so long after its last sign of life a machine is taken to be in the middle of its setup."""
QUIET = timedelta(minutes=2)
"""After so long without a sign of life people want to know what may be wrong."""
REGISTER = "Register your machine"
_AFTER = (SetupStep.STORAGE, SetupStep.BACKUP, SetupStep.RESTORE, SetupStep.SCHEDULE)
"""The steps that come after registration."""


@dataclass(frozen=True)
class LiveStep:
    """One step of a setup as the page shows it; `percent` is None where there is nothing to measure. `since` is when
    it began or ended, where that is known."""

    name: str
    state: StepState | None  # None: not begun
    detail: str = ""
    since: datetime | None = None
    percent: int | None = None

    @property
    def done(self) -> bool:
        """Whether it is over, well."""
        return self.state == StepState.DONE


@dataclass(frozen=True)
class LiveSetup:
    """A machine, and its way so far; `now` is when the page is made."""

    machine: Machine
    row: Onboarding
    address: str
    now: datetime

    @property
    def last_sign_at(self) -> datetime:
        """The last sign of life of its setup."""
        facts = (self.row.registered_at, self.row.backed_up_at, self.row.last_sign_at)
        return max(moment for moment in facts if moment)

    @property
    def quiet(self) -> bool:
        """Whether nothing is heard of it, and it has not said that it ended."""
        return not self.failed and self.now - self.last_sign_at >= QUIET

    @property
    def tells(self) -> bool:
        """Whether its agent tells how far it is; older ones don't."""
        return self.row.last_sign_at is not None

    @property
    def steps(self) -> list[LiveStep]:
        """All of them, in the order in which a machine does them."""
        looked = [
            LiveStep(step.label, StepState.DONE, _about_check(step, self.row.checks[step]))
            for step in SetupStep
            if step in self.row.checks
        ]
        came = LiveStep(
            REGISTER, StepState.DONE, f"from {self.address}" if self.address else "", self.row.registered_at
        )
        return [*looked, came, *(self._step(step) for step in _AFTER if self.tells or step in _FACTS)]

    @property
    def done_steps(self) -> list[LiveStep]:
        """Those that are over."""
        return [step for step in self.steps if step.done]

    @property
    def open_steps(self) -> list[LiveStep]:
        """The one that is under way or failed, and those that follow."""
        return [step for step in self.steps if not step.done]

    @property
    def current(self) -> LiveStep:
        """The first that is not over; the last one where all are."""
        return next(iter(self.open_steps), self.steps[-1])

    @property
    def failed(self) -> bool:
        """Whether setup ended at a step."""
        return self.current.state == StepState.FAILED

    def _step(self, step: SetupStep) -> LiveStep:
        fact: datetime | None = getattr(self.row, _FACTS[step]) if step in _FACTS else None
        order = list(SetupStep)
        told = order.index(SetupStep(self.row.step)) if self.row.step else -1
        if fact is not None or order.index(step) < told:
            return LiveStep(step.label, StepState.DONE, since=fact)
        if order.index(step) == told:
            figures = self.row.figures if self.row.step_state == StepState.RUNNING else {}
            detail = self.row.code or _about_step(figures)
            state = StepState(self.row.step_state)
            return LiveStep(step.label, state, detail, self.row.step_since, _percent(figures))
        running = step == SetupStep.RESTORE and self.row.backed_up_at is not None
        running = running or (step == SetupStep.BACKUP and not self.tells)
        return LiveStep(step.label, StepState.RUNNING if running else None)


_FACTS = {SetupStep.BACKUP: "backed_up_at", SetupStep.RESTORE: "proven_at"}


def rows_of(machines: Sequence[Machine], *more: Machine | None) -> dict[UUID, Onboarding]:
    """The rows of these machines, each with the machine's `address`, in one query; none where there is no machine."""
    wanted = {machine.pk for machine in (*machines, *more) if machine is not None}
    return {row.machine_id: row for row in _rows(wanted)} if wanted else {}


def _rows(machines: set[UUID]) -> QuerySet[Onboarding]:
    return Onboarding.objects.filter(machine__in=machines).annotate(address=F("machine__address"))


def under_way(machines: Sequence[Machine], rows: dict[UUID, Onboarding], now: datetime) -> list[LiveSetup]:
    """The setups of those that are not proven yet and lived of late, the newest first."""
    found = [
        LiveSetup(machine, row, str(getattr(row, "address", "")), now)
        for machine in machines
        if machine.state == MachineState.REGISTERED and (row := rows.get(machine.pk)) and row.proven_at is None
    ]
    return [setup for setup in found if setup.last_sign_at > now - AT_WORK]


def _percent(figures: dict[str, int]) -> int | None:
    """By bytes, else by files; never above 100, whatever a machine says."""
    for what in ("bytes", "files"):
        done, total = figures.get(f"{what}_done"), figures.get(f"{what}_total")
        if done is not None and total:
            return min(100, done * 100 // total)
    return None


def _about_step(figures: dict[str, int]) -> str:
    """`1,234 of 5,000 files, 42.0 MiB of 100 MiB, 12.0 MiB/s, 5 s left`."""
    said = []
    if total := figures.get("files_total"):
        said.append(f"{min(figures.get('files_done', 0), total):,} of {plural(total, 'file')}")
    if total := figures.get("bytes_total"):
        said.append(f"{binary(min(figures.get('bytes_done', 0), total))} of {binary(total)}")
    if rate := figures.get("rate"):
        said.append(f"{binary(rate)}/s")
    if (left := figures.get("seconds_left")) is not None and said:
        said.append(f"{duration(timedelta(seconds=left))} left" if left else "nearly done")
    return ", ".join(said)


def _about_check(step: SetupStep, figures: dict[str, int]) -> str:
    """In a few words, made of numbers alone."""
    if step == SetupStep.PROTECTED and "files" in figures:
        unread = figures.get("unreadable", 0)
        lacking = f"; {plural(unread, 'item')} that its user may not read" if unread else ""
        return f"{plural(figures['files'], 'file')}, {binary(figures.get('bytes', 0))}{lacking}"
    if step == SetupStep.CACHE and "free" in figures:
        return f"{binary(figures['free'])} free, {binary(figures.get('needed', 0))} needed"
    if step == SetupStep.PROXY and "through_proxy" in figures:
        return "through a proxy" if figures["through_proxy"] else "none"
    return ""
