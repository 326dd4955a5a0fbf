"""The command `backup --scheduled`: what timers start every hour.

When no backup is due it renews the certificate if it is time and gives the portal a sign of life. When one is, it waits
for the network, backs up, and does what else is due. Another run at the same time is no failure: it ends quietly.
"""

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError, Refused
from strongroom_agent.core.output import Done, progress
from strongroom_agent.core.sizes import counted
from strongroom_agent.schedule import calendar, follow_ups, history, installation, plan
from strongroom_agent.schedule.plan import Plan
from strongroom_agent.schedule.scheduler import JITTER_MINUTES
from strongroom_agent.state.home import Home
from strongroom_agent.state.session import open_session

from . import backup, update

PAUSES = (30, 60, 120, 240, 480, 900)
"""Seconds between attempts while the network is away: half an hour in all. The next hour begins anew."""
PASSING = frozenset({"network", "unavailable", "throttled"})
_BACKUP, _TRIED = "backup", "backup_tried"
Held = Callable[[], AbstractContextManager[None]]


def run(home: Home, held: Held) -> Done:
    """One start by a timer. `held` holds the state folder, which is not held while this waits."""
    try:
        known = plan.load(home)
        if not is_due(home, known, times.now()):
            return _sign_of_life(home, held)
        if known and installation.waits_itself(known):
            _wait(random.uniform(0, JITTER_MINUTES * 60))  # noqa: S311 - spreads the machines, is no secret
        outcome = _with_patience(home, held)
    except AgentError as error:
        if error.code == "busy":
            return Done(error.problem + " This one had nothing to do.", code="already_running")
        _note(home, error.code, error.message)
        raise
    _note(home, outcome.code, outcome.message)
    return outcome


def is_due(home: Home, known: Plan | None, now: datetime) -> bool:
    """Whether a backup is: the last moment of the calendar has come since the schedule was set, and none was made, or
    has failed for a reason of its own, since then. Without a schedule whoever starts this has one, so it is."""
    if known is None:
        return True
    moment, done = known.calendar.before(now, calendar.local_zone()), plan.done(home)
    return all(moment > each for each in (times.parse(known.since), done.get(_BACKUP), done.get(_TRIED)) if each)


def _sign_of_life(home: Home, held: Held) -> Done:
    """Between backups. A network that is away is no failure of anything yet."""
    try:
        with held():
            session = open_session(home)
            session.prepare()
            session.sign_of_life()
    except Refused as refused:
        if refused.code in PASSING:
            return Done(f"No backup is due. {refused.problem}", code="not_due")
        raise
    except AgentError as error:
        if error.code not in PASSING:
            raise
        return Done(f"No backup is due. The portal was not told: {error.problem}", code="not_due")
    return Done("No backup is due; the portal knows that this machine lives.", code="not_due")


def _with_patience(home: Home, held: Held) -> Done:
    for pause in (*PAUSES, None):
        try:
            with held():
                return _once(home, waited_enough=pause is None)
        except AgentError as error:
            if error.code not in PASSING or pause is None:
                raise
            progress(f"note: {error.problem} The next try is in {counted(pause, 'second')}.")
            _wait(pause)
    raise AssertionError("the last try ends it")


def _once(home: Home, *, waited_enough: bool) -> Done:
    """One try. While there is hope that the portal answers soon nothing is begun that would only be a failed run."""
    session = open_session(home)
    if not waited_enough:
        session.sign_of_life()
    began = times.now()
    try:
        session.prepare()
        result = backup.back_up(session)
    except AgentError as error:
        if error.code not in PASSING:
            plan.note_done(home, _TRIED, began)
            update.after_backup(session)  # a newer version may be what mends it
        raise session.with_reason(error) from error
    plan.note_done(home, _BACKUP, began)
    try:
        done = follow_ups.run(session)
    finally:
        update.after_backup(session)
    backed_up = backup.told(result)
    also = f" Also done: {', '.join(each.replace('_', ' ') for each in done)}." if done else ""
    return Done(backed_up.message + also, backed_up.code, backed_up.remedy, {**backed_up.details, "also_done": done})


def _wait(seconds: float) -> None:
    time.sleep(seconds)


def _note(home: Home, code: str, message: str) -> None:
    """For people who ask later; no reason for the run to fail."""
    try:
        history.note(home, code, message)
    except (AgentError, OSError) as error:
        progress(f"note: how this run ended could not be kept ({error}).")
