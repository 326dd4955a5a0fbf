"""What this machine knows of damage in its backups: told at every run until a check passes."""

from dataclasses import dataclass

from . import moments
from .errors import AgentError
from .session import Session

_FILE = "damage.json"


@dataclass(frozen=True)
class Damage:
    """Damage that was found and is not known to be mended."""

    reason: str
    since: str


def mark(session: Session, reason: str) -> None:
    """Remember that the backups are damaged. The first reason stays, as does its time."""
    if known(session) is None:
        session.home.write_object(_FILE, {"reason": reason, "since": moments.render(moments.now())})


def known(session: Session) -> Damage | None:
    """The damage that is known, if any."""
    try:
        found = session.home.read_object(_FILE)
    except AgentError:
        return Damage("Damage was found; what it was is no longer known.", "")
    return None if found is None else Damage(str(found.get("reason") or ""), str(found.get("since") or ""))


def clear(session: Session) -> None:
    """Forget the damage: a check and a restore check have passed."""
    session.home.remove(_FILE)
