"""What this machine knows of damage in its backups: told at every run until a check passes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from . import moments
from .errors import AgentError
from .session import Session

_FILE = "damage.json"
_PACK = re.compile(r"data/([0-9a-f]{64}) is damaged")


@dataclass(frozen=True)
class Damage:
    """Damage that was found and is not known to be mended."""

    reason: str
    since: str
    packs: frozenset[str] = frozenset()  # found damaged, and not dealt with since


def mark(session: Session, reason: str, objects: Iterable[str] = ()) -> None:
    """Remember that the backups are damaged. The first reason stays, as does its time.

    `objects` are as `blame` names them: packs among them can be saved by the next backup, if they are not just gone.
    """
    before = known(session)
    found = before or Damage(reason, moments.render(moments.now()))
    packs = found.packs | {name for each in objects for name in _PACK.findall(each)}
    if before is None or packs != before.packs:
        _write(session, replace(found, packs=packs))


def settle(session: Session, packs: Iterable[str]) -> None:
    """These packs have been dealt with: nothing more can be done about them before a check finds them anew."""
    if (found := known(session)) is not None:
        _write(session, replace(found, packs=found.packs - frozenset(packs)))


def known(session: Session) -> Damage | None:
    """The damage that is known, if any."""
    try:
        found = session.home.read_object(_FILE)
    except AgentError:
        return Damage("Damage was found; what it was is no longer known.", "")
    if found is None:
        return None
    packs = found.get("packs")
    named = frozenset(map(str, packs)) if isinstance(packs, list) else frozenset[str]()
    return Damage(str(found.get("reason") or ""), str(found.get("since") or ""), named)


def clear(session: Session) -> None:
    """Forget the damage: a check and a restore check have passed."""
    session.home.remove(_FILE)


def _write(session: Session, found: Damage) -> None:
    content: dict[str, object] = {"reason": found.reason, "since": found.since, "packs": sorted(found.packs)}
    session.home.write_object(_FILE, content)
