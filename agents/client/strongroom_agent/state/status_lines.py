"""How this machine stands, for `status`: what a person has to see before anything else, a line each."""

from collections.abc import Mapping
from pathlib import Path

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.times import people
from strongroom_agent.portal import reports
from strongroom_agent.proof import damage
from strongroom_agent.schedule import installation, plan

from . import last_snapshot, passphrase
from .home import Home
from .session import Session

_SHOWN = {
    "backup": "Last backup",
    "check": "Last check",
    "restore_check": "Last restore check",
    "retain": "Last retain",
}
_NEVER = {"backup": "No backup has been made by this computer yet."}
_PROTECTED_SHOWN = 10
_OPEN_ENDS = {
    "done_with_losses": "The last backup found less than before in protected places: the next one names them, and says"
    " what to do.",
    "done_after_failed": "After the last backup your command failed: run it by hand to see why.",
    "done_with_unreadable": "At the last backup some files could not be read: the next one names them.",
}
"""What the last backup has left for somebody to do."""


def lines(session: Session) -> list[str]:
    """Last runs, what is protected, and every trouble that is known here without asking the storage."""
    home = session.home
    return [
        line
        for line in (*_runs(home), _kept(session), _schedule(home), _protected(session), *_trouble(session))
        if line
    ]


def details(session: Session) -> dict[str, object]:
    """The same for programs."""
    home = session.home
    made, known = last_snapshot.known(home), damage.known(session)
    return {
        "last_runs": {**reports.last(home), **_killed_as_last(home)},
        "running": under_way(home),
        "last_snapshot": {"id": made.id, "time": made.time} if made else None,
        "damage": {"reason": known.reason, "since": known.since} if known else None,
        "passphrase": "unusable" if _passphrase(home) else "kept",
        "passphrase_file": str(home.path(passphrase.FILE)),
        "passphrase_saved_to": session.settings.passphrase_saved_to or None,
    }


def under_way(home: Home) -> dict[str, object] | None:
    """The run that is on at this moment."""
    return reports.running(home) if home.in_use() else None


def killed(home: Home) -> dict[str, object] | None:
    """The run that has begun and not ended although nobody is at it."""
    return None if home.in_use() else reports.running(home)


def _killed_as_last(home: Home) -> dict[str, object]:
    """When it ended nobody knows."""
    if (found := killed(home)) is None:
        return {}
    how = {"outcome": "failed", "code": "interrupted", "started_at": found["started_at"], "finished_at": None}
    return {str(found["kind"]): how}


def _runs(home: Home) -> list[str]:
    known, made = reports.last(home), last_snapshot.known(home)
    said = [
        f"{title}: {_ended(known[kind])}" if isinstance(known.get(kind), dict) else _NEVER.get(kind, "")
        for kind, title in _SHOWN.items()
    ]
    return [*said, f"Newest snapshot: {made.id[:8]} of {people(made.time)}." if made else ""]


def _ended(run: object) -> str:
    if not isinstance(run, Mapping):
        return ""
    how = str(run.get("code") or run.get("outcome") or "").replace("_", " ")
    failed = "failed, " if run.get("outcome") == "failed" else ""
    return f"{people(str(run.get('finished_at')))}: {failed}{how}."


def _kept(session: Session) -> str:
    """Where the passphrase is, for somebody who has to put another one there, or to take it along."""
    saved = session.settings.passphrase_saved_to
    kept = "" if _passphrase(session.home) else f"Passphrase: in {session.home.path(passphrase.FILE)}."
    if not saved:
        return kept
    gone = "" if Path(saved).exists() else ", where it is not any more"
    return f"{kept} Setup saved the passphrase to {saved}{gone}.".strip()


def _protected(session: Session) -> str:
    names = session.settings.protect
    more = f" and {len(names) - _PROTECTED_SHOWN} more" if len(names) > _PROTECTED_SHOWN else ""
    return f"Protected: {', '.join(names[:_PROTECTED_SHOWN])}{more}."


def _schedule(home: Home) -> str:
    known = plan.load(home)
    return f"Backups are made {known.calendar} (local time)." if known else installation.OFF


def _trouble(session: Session) -> list[str]:
    said, home = [], session.home
    if known := damage.known(session):
        since = f" since {people(known.since)}" if known.since else ""
        advice = "strongroom-agent check says what can be done, and ends this when it passes."
        said.append(f"Damage is known{since}: {known.reason} {advice}")
    if (last := reports.last(home).get("backup")) and isinstance(last, Mapping):
        said.append(_OPEN_ENDS.get(str(last.get("code")), ""))
    if found := under_way(home):
        said.append(f"Under way: {_kind(found)}, since {people(str(found['started_at']))}.")
    if found := killed(home):
        said.append(
            f"The {_kind(found)} that began {people(str(found['started_at']))} did not end: the agent was killed, or "
            "the machine went down. The next run reports it."
        )
    return [*said, _passphrase(home)]


def _kind(run: Mapping[str, object]) -> str:
    return str(run["kind"]).replace("_", " ")


def _passphrase(home: Home) -> str:
    """What is wrong with the passphrase on this machine, as far as that is seen without the backups."""
    try:
        there = passphrase.stored(home) is not None
    except AgentError as error:
        return error.message
    return "" if there else passphrase.missing(home).message
