"""From the approver's press to an Active vault, and where the time goes."""

import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench import programs
from bench.portal import Person, Portal, wait_for
from bench.stage import Stage
from bench.table import Figure, Limit, Row

WORKER = ("--pool", "threads", "--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat")


@dataclass(frozen=True)
class Timeline:
    """One vault, in seconds since the press."""

    answered: float
    decided: float
    active: float
    steps: dict[str, float]

    @property
    def between(self) -> float:
        """What is neither the request nor a step: the broker, the worker's waking, saving the progress."""
        return self.active - self.decided - sum(self.steps.values())


def rows(stage: Stage) -> Iterator[Row]:
    """Geo-redundant vaults, the default, beside the empty task."""
    portal, number = stage.portal, stage.sizes.approvals
    for redundancy, limit in (("geo", Limit(0.5, unit="s")), ("local", Limit(0.5, unit="s"))):
        timelines = _timelines(portal, number, redundancy)
        floor = _empty_task(stage, number)
        yield Row(
            f"Approve to Active, {redundancy}",
            Figure(statistics.median(each.active for each in timelines)),
            Figure(floor, of="empty task"),
            limit,
            f"median of {number}",
            tuple(_breakdown(timelines)),
        )


def _timelines(portal: Portal, number: int, redundancy: str) -> list[Timeline]:
    """The first one only warms up."""
    staff, approver = portal.person("staff"), portal.person("approver")
    pressed = dict(_approve(staff, approver, f"{redundancy}-{index}", redundancy) for index in range(number + 1))
    env = {**portal.env, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    found = json.loads(programs.run(programs.python("-m", "bench.probe", "operations", *pressed), env))
    return [_timeline(found[vault], *moments) for vault, moments in list(pressed.items())[1:]]


def _approve(staff: Person, approver: Person, name: str, redundancy: str) -> tuple[str, tuple[float, float]]:
    """Ask for a vault and approve it; its id, when the button was pressed, and when the answer was there."""
    asked = {"subscription": "Default", "name": name, "region": "Local A", "redundancy": redundancy}
    request = staff.post("vault-requests", {**asked, "reason": "Measuring"})
    path, body = f"vault-requests/{request['id']}/approve", {"comment": "", "digest": request["digest"]}
    pressed = time.time()
    decided = approver.post(path, body)
    answered = time.time()
    vault: str = decided["vault_id"]
    wait_for(lambda: approver.get(f"vaults/{vault}")["state"] == "Active", f"{name} to be Active")
    return vault, (pressed, answered)


def _timeline(found: dict[str, Any], pressed: float, answered: float) -> Timeline:
    return Timeline(answered - pressed, found["decided"] - pressed, found["active"] - pressed, found["steps"])


def _breakdown(timelines: Sequence[Timeline]) -> Iterator[str]:
    yield f"{_median([each.decided for each in timelines])} until the decision, answered after" + (
        f" {_median([each.answered for each in timelines])}"
    )
    for step in timelines[0].steps:
        yield f"{_median([each.steps.get(step, 0.0) for each in timelines])} step: {step}"
    yield f"{_median([each.between for each in timelines])} between: broker, worker, saving the progress"


def _median(values: list[float]) -> Figure:
    return Figure(statistics.median(values))


def _empty_task(stage: Stage, number: int) -> float:
    """The median round trip of an empty task through the portal's own broker, by a worker like the portal's."""
    portal = stage.portal
    env = {**portal.env, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    worker = programs.python("-m", "celery", "-A", "bench.empty", "worker", *WORKER, "--queues", "bench")
    with programs.running(worker, env, stage.folder / "empty.log"):
        told = programs.run(programs.python("-m", "bench.empty", str(max(5, number))), env)
    seconds: list[float] = json.loads(told)
    return statistics.median(seconds)
