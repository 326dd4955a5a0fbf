"""Reports of runs to the portal. What cannot be delivered is kept and sent at the next run."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from . import moments
from .errors import AgentError
from .home import Home
from .jose import Signer
from .output import progress
from .portal import Portal

_FOLDER = "reports"
_LAST = "last-runs.json"
_KEPT = 200
_MESSAGE_LIMIT = 500
# The portal will not take these however often they are sent.
_HOPELESS = frozenset({"invalid"})


@dataclass
class Run:
    """One run, from its start; `kind` is backup, restore, check or restore_check."""

    kind: str
    started_at: datetime = field(default_factory=moments.now)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def report(self, outcome: str, message: str = "", **figures: object) -> dict[str, object]:
        """What the portal is told when the run is over: `succeeded` or `failed`, and figures."""
        fields: dict[str, object] = {
            "run": self.id,
            "kind": self.kind,
            "outcome": outcome,
            "started_at": moments.render(self.started_at),
            "finished_at": moments.render(moments.now()),
            **figures,
        }
        if message:
            fields["message"] = message[:_MESSAGE_LIMIT]
        return fields


def keep(home: Home, report: dict[str, object]) -> None:
    """Put a report in the queue; the oldest make room when it has grown beyond reason."""
    home.write_object(f"{_FOLDER}/{report['finished_at']}-{report['run']}.json".replace(":", ""), report)
    for name in _waiting(home)[:-_KEPT]:
        home.remove(name)


def deliver(home: Home, portal: Portal, signer: Signer) -> bool:
    """Send what is in the queue, oldest first. Whether the queue is empty now."""
    for name in _waiting(home):
        report = home.read_object(name)
        try:
            if report is not None:
                portal.post("runs", signer, report)
        except AgentError as error:
            if error.code not in _HOPELESS:
                progress(f"note: reports are kept for the next run. {error.message}")
                return False
            progress(f"note: the portal does not accept a report. {error.message}")
        home.remove(name)
    return True


def remember_last(home: Home, report: dict[str, object]) -> None:
    """Note when a run of this kind was last done and how it ended, for `status`."""
    shown = {name: report[name] for name in ("outcome", "finished_at")}
    home.write_object(_LAST, {**last(home), str(report["kind"]): shown})


def last(home: Home) -> dict[str, object]:
    """For each kind of run: how and when the last one ended."""
    return home.read_object(_LAST) or {}


def waiting(home: Home) -> int:
    """How many reports wait to be sent."""
    return len(_waiting(home))


def forget(home: Home) -> None:
    """Drop all reports that wait, and what is known of the last runs."""
    for name in _waiting(home):
        home.remove(name)
    home.remove(_LAST)


def _waiting(home: Home) -> list[str]:
    folder = home.path(_FOLDER)
    if not folder.is_dir():
        return []
    return sorted(f"{_FOLDER}/{each.name}" for each in folder.glob("*.json"))
