"""What a scheduled run does after its backup: the table of follow-ups, each with how often it is due.

This is the place to add another: a name that stays (when it was last done is kept under it), how often, and what to do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom_agent.commands import check, retain
from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import progress
from strongroom_agent.proof import restore_check
from strongroom_agent.proof.sampling import WEEKLY
from strongroom_agent.state.home import Home
from strongroom_agent.state.session import Session

from . import plan

EARLY = timedelta(hours=12)
"""By so much sooner than `every` counts as due, so that a weekly one does not slip to the eighth day."""


@dataclass(frozen=True)
class FollowUp:
    """`every`: the time between two of it, none for one after each backup; `covers`: what need not run beside it, and
    counts as done where it is due no more seldom.

    `do` reports to the portal by itself, as `record()` does, and raises AgentError when it fails; then it is due again
    after the next backup.
    """

    name: str
    every: timedelta
    do: Callable[[Session], object]
    covers: frozenset[str] = frozenset()


_NOT_HERE = frozenset({"engine_too_old", "portal_too_old"})
"""Codes of a retain that cannot be done here at all: no reason for each week's backup to count as failed."""


def _restore_check(session: Session) -> object:
    return restore_check.restore_check(session, "latest")


def _larger_sample(session: Session) -> object:
    return restore_check.restore_check(session, "latest", WEEKLY)


def _check(session: Session) -> object:
    return check.run(session, check.MONTHLY, WEEKLY)


def _retain(session: Session) -> object:
    try:
        return retain.run(session, dry_run=False, budget=WEEKLY)
    except AgentError as error:
        if error.code not in _NOT_HERE:
            raise
        progress(f"note: no snapshot was deleted. {error.message}")
        return _larger_sample(session)


FOLLOW_UPS: tuple[FollowUp, ...] = (
    FollowUp("retain", timedelta(days=7), _retain, covers=frozenset({"check", "larger_sample", "restore_check"})),
    FollowUp("check", timedelta(days=30), _check, covers=frozenset({"larger_sample", "restore_check"})),
    FollowUp("larger_sample", timedelta(days=7), _larger_sample, covers=frozenset({"restore_check"})),
    FollowUp("restore_check", timedelta(0), _restore_check),
)
"""In the order in which they run."""


def due(home: Home, now: datetime, table: tuple[FollowUp, ...] = FOLLOW_UPS) -> list[FollowUp]:
    """Those whose time has come. One that is seen for the first time, and is not of each backup, is due when its time
    has passed once: a machine that was just set up has been proven by that."""
    known, found = plan.done(home), list[FollowUp]()
    for each in table:
        if each.every and each.name not in known:
            plan.note_done(home, each.name, now)
            continue
        waited = now - known.get(each.name, datetime.min.replace(tzinfo=now.tzinfo))
        if not each.every or waited >= each.every - EARLY:
            found.append(each)
    return found


def run(session: Session, table: tuple[FollowUp, ...] = FOLLOW_UPS) -> list[str]:
    """Do what is due, but for what another one has covered; the names of what was done. One that fails keeps no other
    from running, and covers none: the first failure is raised at the end."""
    done, failures, covered = [], list[AgentError](), set[str]()
    for each in due(session.home, times.now(), table):
        if each.name in covered:
            continue
        progress(f"due now: {each.name.replace('_', ' ')}")
        try:
            each.do(session)
        except AgentError as error:
            progress(f"note: {error.message}")
            failures.append(error)
        else:
            for name in (each.name, *_done_beside(each, table)):
                plan.note_done(session.home, name, times.now())
            done.append(each.name)
            covered |= each.covers
    if failures:
        raise failures[0]
    return done


def _done_beside(done: FollowUp, table: tuple[FollowUp, ...]) -> list[str]:
    """What it covers and is due no more seldom: that was done with it."""
    return [each.name for each in table if each.name in done.covers and timedelta(0) < each.every <= done.every]
