"""The step after the proof: backups by themselves from now on, and the program on the PATH."""

import shlex
from pathlib import Path

from strongroom_agent.commands import schedule as command
from strongroom_agent.core.errors import AgentError
from strongroom_agent.schedule import calendar, installation, plan
from strongroom_agent.state.session import Session

from . import on_path


def settle(session: Session, program: Path, *, schedule: bool, link: bool) -> tuple[str, dict[str, object]]:
    """What a person should know, and the fields of the answer. Never a failure: a machine that is backed up and
    restored is set up, whatever its schedulers say."""
    session.teller.tell("schedule")
    said, described = (
        _schedule(session, program) if schedule else (_left_alone(session), installation.describe(session.home))
    )
    found = on_path.link(program) if link else on_path.OnPath(None)
    return " ".join(filter(None, [said, found.remark])), {"schedule": described, "on_path": found.path}


def _schedule(session: Session, program: Path) -> tuple[str, dict[str, object]]:
    """The schedule that there is stays; else daily, in the night."""
    known = plan.load(session.home)
    try:
        made, remark = installation.apply(session.home, known.calendar if known else calendar.of_night(), str(program))
    except AgentError as error:
        remedy = error.remedy.replace("of this program", f"of {shlex.quote(str(program))}")
        return f"{error.problem} {remedy}", {
            **installation.describe(session.home),
            "remark": error.problem,
            "remedy": remedy,
        }
    command.tell(session)
    said = f"From now on it is backed up {made.calendar} (local time) by {made.scheduler}."
    return f"{said} {remark}".strip(), {**installation.describe(session.home), "remark": remark}


def _left_alone(session: Session) -> str:
    return "" if plan.load(session.home) else installation.OFF
