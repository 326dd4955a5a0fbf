"""The schedule of this machine as a whole: put into the scheduler that there is, looked at, changed, taken out."""

import os
import sys
from pathlib import Path

from strongroom_agent.core import surroundings, times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.state.home import Home

from . import calendar, names, plan
from .calendar import Calendar
from .cron import Cron
from .launchd import Launchd
from .plan import Plan
from .scheduler import ARGUMENTS, Entry, Scheduler
from .windows import TaskScheduler

OFF = "No schedule: backups are made only when somebody, or a scheduler of yours, starts them."
ON = "Run strongroom-agent schedule daily HH:MM to have them made each day."


def schedulers() -> list[Scheduler]:
    """Those of this platform, the best first."""
    if sys.platform == "win32":
        return [TaskScheduler()]
    if sys.platform == "darwin":
        return [Launchd()]
    from .systemd import Systemd  # what it needs is not there on Windows

    return [Systemd(), Cron()]


def apply(home: Home, when: Calendar, program: str) -> tuple[Plan, str]:
    """Install the schedule in the best scheduler there is; the plan, and what a person should know of it.

    AgentError `no_scheduler` when there is none, `schedule_failed` when it does not take it. An earlier one of this
    state folder is replaced, also where another scheduler has kept it.
    """
    before = plan.load(home)
    chosen = _usable()
    entry = Entry(
        names.of(home.folder),
        when,
        program,
        home.folder.resolve(),
        surroundings.search_path(),
        _engine(),
    )
    if before and (before.scheduler, before.name) != (chosen.kind, entry.name):
        _keeper(before).remove(before.name)
    remark = chosen.install(entry)
    made = Plan(when, chosen.kind, entry.name, program, times.render(times.now()))
    made = plan.with_calendar(before, when) if before and before.calendar == when else made
    made = Plan(when, chosen.kind, entry.name, program, made.since)
    plan.save(home, made)
    return made, remark


def remove(home: Home) -> bool:
    """Take out exactly what was installed. Whether there was anything; AgentError when the scheduler keeps it."""
    known = plan.load(home)
    if known is None:
        plan.forget(home)
        return False
    _keeper(known).remove(known.name)
    plan.forget(home)
    return True


def trouble(known: Plan) -> str:
    """Why nothing would be started, in a sentence; empty when all is well."""
    if not Path(known.program).is_file():
        return f"The program that it starts, {known.program}, is gone."
    try:
        return _keeper(known).trouble(known.name)
    except AgentError as error:
        return error.problem


def describe(home: Home) -> dict[str, object]:
    """The schedule for programs; the scheduler is not asked."""
    known = plan.load(home)
    if known is None:
        return {"kind": "none", "when": None, "every_hours": None, "next": None, "remark": OFF, "remedy": ON}
    upcoming = known.calendar.after(times.now(), calendar.local_zone())
    return {
        "kind": known.scheduler,
        "when": str(known.calendar),
        "every_hours": known.calendar.every_hours,
        "next": times.render(upcoming),
        "name": known.name,
        "program": known.program,
        "remark": "",
        "remedy": "",
    }


def waits_itself(known: Plan) -> bool:
    """Whether the scheduler starts on the minute, so that the program has to spread its runs."""
    return not _keeper(known).jitter


def _usable() -> Scheduler:
    lacking = []
    for each in schedulers():
        if not (why := each.lacking()):
            return each
        lacking.append(why)
    raise AgentError(
        "no_scheduler",
        f"Nothing on this machine starts programs at set times: {' '.join(lacking)}",
        f"Install and start cron, then run strongroom-agent schedule daily HH:MM; or have {' '.join(ARGUMENTS)} of "
        "this program started by a scheduler of yours.",
    )


def _keeper(known: Plan) -> Scheduler:
    for each in schedulers():
        if each.kind == known.scheduler:
            return each
    raise AgentError("schedule_failed", f"There is no scheduler of the kind {known.scheduler} here.", ON)


def _engine() -> str:
    """The restic that the environment has chosen, for the runs to come."""
    return os.path.abspath(chosen) if (chosen := os.environ.get("RESTIC")) else ""
