"""What a portal hears while setup runs, and that no portal can hold setup up by it."""

import time

import pytest
from strongroom_agent.core.step_names import TOLD
from strongroom_agent.portal import progress

from .peer import Problem
from .world import World

pytestmark = pytest.mark.system


def test_a_setup_tells_each_step_in_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "GAP", 0.01)
    world.fill(40)
    assert world.setup().status == 0
    told = world.peer.progress
    steps = [each["step"] for each in told]
    assert steps == sorted(steps, key=list(TOLD).index)
    assert steps[-1] == "schedule" or "restore" in steps
    assert told[-1]["state"] == "done"
    assert [each["number"] for each in told] == sorted({each["number"] for each in told})
    checks = {each["step"]: each for each in told[0]["checks"]}
    assert list(checks) == ["protected", "cache", "program", "proxy", "portal"]
    assert (checks["protected"]["files"], checks["proxy"]["through_proxy"]) == (40, False)
    assert checks["cache"]["free"] > checks["cache"]["needed"] > 0
    assert str(world.root) not in repr(told)
    assert "secret" not in repr(told)


def test_a_step_that_fails_is_told_with_its_code(world: World) -> None:
    world.fill(2)
    world.peer.faults.storage["local-a"] = 507
    assert world.setup().answer["code"] == "quota_full"
    assert (world.peer.progress[-1]["state"], world.peer.progress[-1]["code"]) == ("failed", "quota_full")


@pytest.mark.parametrize("code", ["unavailable", "not_found", "not_allowed", "throttled", "invalid"])
def test_refusals_change_nothing(world: World, code: str) -> None:
    world.fill(2)
    world.peer.faults.refuse["progress"] = Problem(code)
    ran = world.setup()
    assert (ran.status, ran.answer["code"]) == (0, "done")
    assert world.told == [("backup", "succeeded"), ("restore_check", "succeeded")]
    assert "progress" not in ran.progress
    if code != "unavailable":
        assert world.peer.requests.count(("POST", "progress")) == 1


def test_a_portal_that_does_not_answer_holds_up_nothing(world: World) -> None:
    world.fill(2)
    world.peer.faults.hangs = {"progress"}
    began = time.monotonic()
    ran = world.setup()
    assert ran.status == 0, ran
    assert time.monotonic() - began < 15
    assert world.told == [("backup", "succeeded"), ("restore_check", "succeeded")]


def test_other_runs_tell_nothing(world: World) -> None:
    world.fill(2)
    assert world.setup().status == 0
    before = len(world.peer.progress)
    assert world.run("backup").status == 0
    assert len(world.peer.progress) == before
