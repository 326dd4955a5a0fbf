"""Which of the snapshots that the portal lists this machine lets go.

The portal decides by the times at which it saw them, which nobody with this machine's key can forge. But it may be
somebody else's by now, so its list is held against what this machine knows itself before anything is deleted: that is
no more than reasonable if the newest backups stay, and all that are younger than the minimum retention.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.sizes import counted
from strongroom_agent.portal.clock import TOLERANCE
from strongroom_agent.portal.retention import RetainAnswer
from strongroom_agent.restic.snapshots import Snapshot
from strongroom_agent.state.last_snapshot import Made


@dataclass(frozen=True)
class Thinning:
    """The snapshots that go, oldest first, and those that the portal lists and this machine keeps all the same."""

    go: list[Snapshot]
    held_back: list[str]


def decide(answer: RetainAnswer, found: Sequence[Snapshot], made: Made | None, now: datetime) -> Thinning:
    """What goes of the snapshots that were `found`, oldest first; `made` is the one that this machine made last.

    Snapshots that are not there any more are left aside. One that is dated later than now tells nothing of its age, and
    counts as young: it stays. AgentError `retain_refused` where the list names what nobody lets go.
    """
    listed = set(answer.forget)
    wanted = [each for each in found if each.id in listed]
    latest = _nanoseconds(now + TOLERANCE)
    dated = [each for each in found if each.began_ns <= latest]
    if wanted and len(wanted) == len(found):
        raise _refused("each snapshot that there is")
    if made is not None and made.id in listed:
        raise _refused(f"{made.id[:8]}, the last one that this machine has made")
    if dated and dated[-1].id in listed:
        raise _refused(f"{dated[-1].id[:8]}, the newest one")
    _require_old([each for each in wanted if each.began_ns <= latest], answer.minimum, now)
    later = [each.id for each in wanted if each.began_ns > latest]
    return Thinning([each for each in wanted if each.id not in later], later)


def _require_old(wanted: Collection[Snapshot], minimum: timedelta, now: datetime) -> None:
    """The portal has seen each of them after its backup began, so that by its times none looks older than it is."""
    oldest_allowed = _nanoseconds(now - minimum + TOLERANCE)
    if young := [each for each in wanted if each.began_ns > oldest_allowed]:
        raise _refused(
            f"{counted(len(young), 'snapshot')} younger than the minimum retention of {minimum.days} days, beginning "
            f"with {young[0].id[:8]} of {times.people(young[0].time)}"
        )


def _nanoseconds(moment: datetime) -> int:
    return times.parse_nanoseconds(times.render(moment))


def _refused(what: str) -> AgentError:
    return AgentError(
        "retain_refused",
        f"This machine has deleted nothing: the portal's list of what may go names {what}.",
        "See whether this machine's clock is right. If it is, tell an administrator of the portal at once: somebody "
        "may have changed what it says.",
    )
