"""What this machine knows of damage in its backups: told at every run until a check passes."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.portal import diagnosis
from strongroom_agent.restic import engine, snapshots
from strongroom_agent.state.session import Session

_FILE = "damage.json"
_MOST_TOLD = 200  # what the portal takes in one report; when these have been replaced, a check names others


@dataclass(frozen=True)
class Damage:
    """Damage that was found and is not known to be mended."""

    reason: str
    since: str
    packs: frozenset[str] = frozenset()  # found damaged, and not dealt with since
    objects: frozenset[str] = frozenset()  # as kind/name: told to the portal, which may have them whole in a region
    lost: tuple[str, ...] = ()  # snapshots, by the beginning of their ids, that a repair could not bring back in full


def mark(session: Session, reason: str, objects: Iterable[str] = ()) -> None:
    """Remember that the backups are damaged, and since when.

    `objects` are as `blame` names them: packs among them can be saved by the next backup, if they are not just gone. A
    reason that names some takes the place of the one before; else that stays.
    """
    before, named = known(session), list(objects)
    found = before or Damage(reason, times.render(times.now()))
    objects = diagnosis.names(named)
    packs = found.packs | {name.removeprefix("data/") for name in objects if name.startswith("data/")}
    found = replace(found, reason=reason if named else found.reason, packs=packs, objects=found.objects | objects)
    if found != before:
        _write(session, found)


def mark_lost(session: Session, reason: str, lost: Iterable[str]) -> None:
    """Remember that a repair could not bring these snapshots back in full: another one would not either."""
    mark(session, reason)
    if (found := known(session)) is not None:
        _write(session, replace(found, lost=tuple(sorted(lost))))


def way_out(session: Session, snapshot: str = "") -> str:
    """What helps after a repair that was incomplete, as long as one of those snapshots is there; else empty.

    With the id of a `snapshot` only if that is one of them.
    """
    found = known(session)
    if found is None or not found.lost or (snapshot and snapshot[:8] not in found.lost):
        return ""
    try:
        there = session.storage.names(session.primary, "snapshots")
    except AgentError:
        return ""
    left = [each for each in found.lost if any(name.startswith(each) for name in there)]
    if not left:
        return ""
    return (
        f"The last repair could not bring back all of {_first(left)}: what is lacking is nowhere any more. "
        f"Restore what is still there with --include. {snapshots.to_trash(session.identity.machine_id, left)}"
    )


def with_way_out(session: Session, error: AgentError) -> AgentError:
    """The error with what helps in this vault: no repair where the last one has shown that it brings nothing back, and
    not at once where the portal brings back by itself what the other region has."""
    if error.code != "repository_damaged":
        return error
    advice = way_out(session)
    if not advice and "strongroom-agent repair" in error.remedy:
        advice = _by_itself(session, error)
    if not advice:
        return error
    better = AgentError(error.code, error.problem, advice, **error.details)
    better.complaints = error.complaints
    return better


def _by_itself(session: Session, error: AgentError) -> str:
    """What helps where no repair has been tried: in a vault with a pair, to wait for what the portal brings back. It
    has to be told which objects that are, and an older restic does not say so."""
    if len(session.identity.repositories) < 2:
        return error.remedy.replace("the other region or this machine", "this machine")
    if not session.engine.recent and not error.details.get("damaged_objects"):
        return (
            f"restic {session.engine.version} does not say which objects are damaged. {engine.how_to_get_recent()} "
            "Then run strongroom-agent check: it tells the portal, which brings back what the other region has."
        )
    return (
        "The portal brings back what the other region has, mostly within minutes: run strongroom-agent check then. "
        "If it still finds damage, run strongroom-agent repair."
    )


def note_objects(session: Session, packs: Iterable[str]) -> None:
    """Tell the portal of these packs with the next report, although nothing is left to be done about them here."""
    if (found := known(session)) is not None:
        _write(session, replace(found, objects=found.objects | {f"data/{name}" for name in packs}))


def to_tell(session: Session) -> dict[str, list[str]]:
    """The field of a report that names what was found damaged, now or before; none where nothing was."""
    found = known(session)
    named = session.damaged | (found.objects if found else frozenset[str]())
    return {"damaged": sorted(named)[:_MOST_TOLD]} if named else {}


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
    packs, objects, lost = (_texts(found.get(name)) for name in ("packs", "objects", "lost"))
    reason, since = str(found.get("reason") or ""), str(found.get("since") or "")
    return Damage(reason, since, frozenset(packs), frozenset(objects), tuple(lost))


def clear(session: Session) -> None:
    """Forget the damage: a check and a restore check have passed."""
    session.home.remove(_FILE)


def _first(found: list[str]) -> str:
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _write(session: Session, found: Damage) -> None:
    session.home.write_object(
        _FILE,
        {
            "reason": found.reason,
            "since": found.since,
            "packs": sorted(found.packs),
            "objects": sorted(found.objects),
            "lost": list(found.lost),
        },
    )
