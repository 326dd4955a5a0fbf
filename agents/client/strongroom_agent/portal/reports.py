"""Reports of runs to the portal. What cannot be delivered is kept and sent at the next run."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import printable, progress
from strongroom_agent.state.home import Home

_FOLDER = "reports"
_REFUSED = "refused-reports"
_LAST = "last-runs.json"
_RUNNING = "running.json"
_KEPT = 200
_REFUSED_KEPT = 20
_MESSAGE_LIMIT = 500
KILLED = (
    "The run was cut short: the agent was killed, or the machine went down. When is not known: the next run found it."
)
# These are about the moment, whatever the report says.
_PASSING = frozenset({"network", "unavailable", "throttled", "clock_skew"})


@dataclass
class Run:
    """One run, from its start; `kind` is backup, restore, check, restore_check, repair or retain."""

    kind: str
    started_at: datetime = field(default_factory=times.now)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def report(self, outcome: str, message: str = "", **figures: object) -> dict[str, object]:
        """What the portal is told when the run is over: `succeeded` or `failed`, and figures."""
        fields: dict[str, object] = {
            "run": self.id,
            "kind": self.kind,
            "outcome": outcome,
            "started_at": times.render(self.started_at),
            "finished_at": times.render(times.now()),
            **figures,
        }
        if message:
            # File names in it may be no text, which the portal takes from nobody.
            fields["message"] = _shortened(printable(message, keep=""))
        return fields


def _shortened(text: str) -> str:
    """As much as the portal takes, up to the end of a word in its second half, and a sign for the rest."""
    if len(text) <= _MESSAGE_LIMIT:
        return text
    words = text[:_MESSAGE_LIMIT].rpartition(" ")[0].rstrip(" ,;:")
    return f"{words if len(words) > _MESSAGE_LIMIT // 2 else text[: _MESSAGE_LIMIT - 1]}…"


def begin(home: Home, run: Run) -> None:
    """Note on disk that a run is on, so that one that is killed is known for that. A run inside of it is part of it."""
    if running(home) is None:
        home.write_object(_RUNNING, {"run": run.id, "kind": run.kind, "started_at": times.render(run.started_at)})


def running(home: Home) -> dict[str, object] | None:
    """The run that has begun and not ended: it is on, or was killed, which the lock of the state folder tells."""
    try:
        found = home.read_object(_RUNNING)
    except AgentError:
        return None
    whole = found is not None and all(isinstance(found.get(name), str) for name in ("run", "kind", "started_at"))
    return found if whole else None


def note_killed(home: Home) -> None:
    """Report a run that was killed, or went down with the machine, as one that ended when that was found.

    Only while the state folder is locked by us.
    """
    if found := running(home):
        report = {**found, "outcome": "failed", "code": "interrupted", "message": KILLED}
        end(home, {**report, "finished_at": times.render(times.now())})
    home.remove(_RUNNING)


def end(home: Home, report: dict[str, object]) -> None:
    """A run is over: its report waits for the portal, and `status` knows how it ended."""
    keep(home, report)
    remember_last(home, report)
    if (found := running(home)) is None or found["run"] == report["run"]:
        home.remove(_RUNNING)


def drop(home: Home, run: Run) -> None:
    """The run has not begun after all: nobody is told of it."""
    if (found := running(home)) is not None and found["run"] == run.id:
        home.remove(_RUNNING)


def keep(home: Home, report: dict[str, object]) -> None:
    """Put a report in the queue; the oldest make room when it has grown beyond reason."""
    home.write_object(f"{_FOLDER}/{report['finished_at']}-{report['run']}.json".replace(":", ""), report)
    for name in _waiting(home)[:-_KEPT]:
        home.remove(name)


def deliver(home: Home, send: Callable[[dict[str, object]], object], sign_of_life: Callable[[], object]) -> str:
    """Send what is in the queue, oldest first. Why some of it has to wait; empty when nothing does.

    A report that is refused while the portal takes this machine's sign of life will be refused for ever: it is set
    aside, so that those behind it get through.
    """
    for name in _waiting(home):
        try:
            report = home.read_object(name)
            if report is not None:
                send(report)
        except AgentError as error:
            if error.code in _PASSING or not _accepted(sign_of_life):
                return error.message
            _set_aside(home, name)
            progress(f"note: a report is not accepted and was put into {home.path(_REFUSED)}. {error.message}")
        else:
            home.remove(name)
    return ""


def remember_last(home: Home, report: dict[str, object]) -> None:
    """Note when a run of this kind was last done and how it ended, for `status`."""
    shown = {name: report[name] for name in ("outcome", "code", "finished_at") if name in report}
    home.write_object(_LAST, {**last(home), str(report["kind"]): shown})


def last(home: Home) -> dict[str, object]:
    """For each kind of run: how and when the last one ended."""
    try:
        return home.read_object(_LAST) or {}
    except AgentError as error:
        # Only shown to people: no reason for a run to fail.
        progress(f"note: how the last runs ended is not known. {error.problem}")
        return {}


def backed_up(home: Home) -> bool:
    """Whether this machine is known to have made a backup: its last run of some kind that needs one went well."""
    known = last(home)
    ended = [known.get(kind) for kind in ("backup", "check", "restore_check", "restore")]
    return any(isinstance(each, dict) and each.get("outcome") == "succeeded" for each in ended)


def waiting(home: Home) -> int:
    """How many reports wait to be sent."""
    return len(_waiting(home))


def refused(home: Home) -> int:
    """How many of the last reports the portal did not accept."""
    return len(_waiting(home, _REFUSED))


def forget(home: Home) -> None:
    """Drop all reports, and what is known of the last runs."""
    for name in [*_waiting(home), *_waiting(home, _REFUSED)]:
        home.remove(name)
    home.remove(_LAST)
    home.remove(_RUNNING)


def _accepted(sign_of_life: Callable[[], object]) -> bool:
    try:
        sign_of_life()
    except AgentError:
        return False
    return True


def _set_aside(home: Home, name: str) -> None:
    home.move(name, name.replace(_FOLDER, _REFUSED, 1))
    for oldest in _waiting(home, _REFUSED)[:-_REFUSED_KEPT]:
        home.remove(oldest)


def _waiting(home: Home, where: str = _FOLDER) -> list[str]:
    folder = home.path(where)
    if not folder.is_dir():
        return []
    return sorted(f"{where}/{each.name}" for each in folder.glob("*.json"))
