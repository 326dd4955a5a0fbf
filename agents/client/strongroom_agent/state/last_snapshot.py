"""The snapshot that this machine made last: one that no region lists any more would not be missed by anybody else.

Storage lists what it has, so that the next older snapshot would pass for the newest without a word.
"""

from dataclasses import dataclass

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.times import parse_nanoseconds, people
from strongroom_agent.portal.sources import candidates, may_be_elsewhere
from strongroom_agent.restic.errors import damaged
from strongroom_agent.restic.snapshots import Snapshot

from .home import Home
from .session import Session

_FILE = "last-snapshot.json"
REMEDY = (
    "Run strongroom-agent backup: everything that is on this machine now is stored again, and that ends this. Ask an "
    "administrator of the portal whether it was moved to the trash; it can be put back: manage.py snapshots put-back."
)


@dataclass(frozen=True)
class Made:
    """A snapshot by its full id, and when its backup began (RFC 3339)."""

    id: str
    time: str

    def __str__(self) -> str:
        return f"Snapshot {self.id[:8]} of {people(self.time)}, the last one that this machine made,"


def remember(home: Home, snapshot: str, time: str) -> None:
    """Note the snapshot that was made just now; `time` is when its backup began."""
    home.write_object(_FILE, {"snapshot": snapshot, "time": time})


def known(home: Home) -> Made | None:
    """The snapshot made last; None where this machine has made none, or does not know any more."""
    try:
        found = home.read_object(_FILE) or {}
    except AgentError:
        return None
    snapshot, time = str(found.get("snapshot") or ""), str(found.get("time") or "")
    try:
        return Made(snapshot, time) if snapshot and parse_nanoseconds(time) else None
    except ValueError:
        return None


def forget(home: Home) -> None:
    """Begin anew, as with a registration: another repository, or the place of another computer."""
    home.remove(_FILE)


def lost(session: Session) -> str:
    """A sentence about the snapshot made last, where no region that answers lists it; else empty."""
    made, silent = known(session.home), list[str]()
    if made is None:
        return ""
    for repository in candidates(session, None):
        try:
            if made.id in session.storage.names(repository, "snapshots"):
                return ""
        except AgentError as error:
            if not may_be_elsewhere(error):
                raise
            silent.append(repository.region)
    if silent:
        return f"{made} is in no region that answers any more; {', '.join(silent)} does not."
    return in_no_region(made)


def in_no_region(made: Made) -> str:
    """The sentence about a snapshot that every region was asked for in vain."""
    return f"{made} is in no region any more."


def require(session: Session) -> None:
    """AgentError `repository_damaged` unless the first region lists the snapshot made last."""
    made = known(session.home)
    if made is None or made.id in session.storage.names(session.primary, "snapshots"):
        return
    if about := lost(session):
        error = damaged(about)
        raise AgentError(error.code, error.problem, REMEDY)
    raise damaged(f"{made} is not in region {session.primary.region} any more; the copy in the paired region has it.")


def older(home: Home, restored: Snapshot) -> str:
    """A sentence for a restore of what passed for the newest snapshot, where this machine has made a newer one."""
    made = known(home)
    if made is None or made.id == restored.id or parse_nanoseconds(made.time) <= restored.began_ns:
        return ""
    return f"{made} is not in what was read: this is an older one, of {people(restored.time)}."
