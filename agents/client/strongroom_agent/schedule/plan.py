"""What is scheduled on this machine, and when what was last done: two files in the state folder."""

from dataclasses import dataclass, replace
from datetime import datetime

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import progress
from strongroom_agent.state.home import Home

from . import calendar
from .calendar import Calendar

_FILE, _DONE = "schedule.json", "last-done.json"


@dataclass(frozen=True)
class Plan:
    """The schedule that was installed: its calendar, the scheduler that keeps it, its name there, what it starts.

    `since` is when this calendar was set: what was due before that is not caught up.
    """

    calendar: Calendar
    scheduler: str
    name: str
    program: str
    since: str

    @property
    def told(self) -> dict[str, object]:
        """What the portal is told of it."""
        return {"every_hours": self.calendar.every_hours}


def load(home: Home) -> Plan | None:
    """The schedule of this machine; None when there is none, or when what was noted is damaged."""
    try:
        found = home.read_object(_FILE)
        if found is None:
            return None
        texts = {name: str(found[name]) for name in ("scheduler", "name", "program", "since")}
        times.parse(texts["since"])
        return Plan(calendar.parse(str(found["when"]).split(" ")), **texts)
    except (AgentError, KeyError, ValueError) as error:
        progress(f"note: {home.path(_FILE)} does not say when backups are made ({type(error).__name__}).")
        return None


def save(home: Home, plan: Plan) -> None:
    """Replace what is noted, in one step."""
    kept = {"scheduler": plan.scheduler, "name": plan.name, "program": plan.program, "since": plan.since}
    home.write_object(_FILE, {"when": str(plan.calendar), **kept})


def with_calendar(plan: Plan, new: Calendar) -> Plan:
    """The plan at other times: what the old ones had due is not caught up by the new ones."""
    return plan if plan.calendar == new else replace(plan, calendar=new, since=times.render(times.now()))


def forget(home: Home) -> None:
    """There is no schedule any more. When what was done stays known for the next one."""
    home.remove(_FILE)


def done(home: Home) -> dict[str, datetime]:
    """When each thing was last done, or first looked for; without those whose time cannot be read."""
    found: dict[str, datetime] = {}
    try:
        for name, text in (home.read_object(_DONE) or {}).items():
            found[name] = times.parse(str(text))
    except (AgentError, ValueError) as error:
        progress(f"note: when what was last done is not known in full ({type(error).__name__}).")
    return found


def note_done(home: Home, name: str, at: datetime) -> None:
    """It was done."""
    known = {**done(home), name: at}
    home.write_object(_DONE, {each: times.render(moment) for each, moment in sorted(known.items())})
