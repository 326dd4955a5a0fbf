"""What a timer starts: a backup when one is due, else a sign of life."""

from datetime import UTC, datetime, timedelta

import pytest
from strongroom_agent.commands import scheduled
from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.schedule import follow_ups, plan
from strongroom_agent.schedule.follow_ups import FollowUp
from strongroom_agent.state.home import Home
from strongroom_agent.state.session import open_session

from tests.client.world import World

from .recorder import Recorder

pytestmark = pytest.mark.system


@pytest.fixture
def nightly(machine: World, scheduler: Recorder, monkeypatch: pytest.MonkeyPatch) -> World:
    """A machine whose backup is due: the schedule was set some days ago."""
    monkeypatch.setattr(scheduled, "_wait", slept.append)
    slept.clear()
    assert machine.run("schedule", "daily", "00:00").status == 0
    home = Home(machine.home)
    found = plan.load(home)
    assert found
    plan.save(home, plan.Plan(found.calendar, "recorder", found.name, found.program, "2026-01-01T00:00:00.000000Z"))
    machine.peer.heartbeats.clear()
    return machine


slept: list[float] = []


def test_a_backup_that_is_due_is_made_and_proven_once(nightly: World) -> None:
    ran = nightly.run("backup", "--scheduled")
    assert (ran.status, ran.answer["code"], ran.answer["also_done"]) == (0, "done", ["restore_check"])
    assert nightly.told == [("backup", "succeeded"), ("restore_check", "succeeded")]
    assert {each["schedule"]["every_hours"] for each in nightly.peer.runs.values()} == {24}
    again = nightly.run("backup", "--scheduled")
    assert (again.status, again.answer["code"]) == (0, "not_due")
    assert len(nightly.told) == 2
    assert nightly.peer.heartbeats[-1]["schedule"] == {"every_hours": 24}


def test_what_was_missed_is_caught_up_and_what_was_not_yet_due_is_not(nightly: World) -> None:
    home = Home(nightly.home)
    known = plan.load(home)
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert scheduled.is_due(home, known, now)
    plan.note_done(home, "backup", now - timedelta(days=3))
    assert scheduled.is_due(home, known, now)
    plan.note_done(home, "backup", now - timedelta(minutes=1))
    assert not scheduled.is_due(home, known, now)
    assert scheduled.is_due(home, known, now + timedelta(days=1))
    assert nightly.run("schedule", "daily", "00:01").status == 0  # set anew: nothing from before is due
    assert not scheduled.is_due(home, plan.load(home), times.now())


def test_a_second_run_ends_quietly(nightly: World) -> None:
    with Home(nightly.home).locked():
        ran = nightly.run("backup", "--scheduled")
    assert (ran.status, ran.answer["code"], nightly.told) == (0, "already_running", [])


def test_a_network_that_is_away_is_waited_for_and_then_told(nightly: World) -> None:
    nightly.peer.faults.silent = True
    ran = nightly.run("backup", "--scheduled")
    assert tuple(slept) == scheduled.PAUSES
    assert (ran.status, nightly.told) == (0, [])  # only the storage was there, and it has the backup
    nightly.peer.faults.silent = False
    assert nightly.run("backup", "--scheduled").answer["code"] == "not_due"  # the next hour
    assert nightly.told == [("backup", "succeeded"), ("restore_check", "succeeded")]


def test_while_nothing_answers_only_the_last_try_is_a_failed_run(nightly: World) -> None:
    nightly.peer.faults.silent = True
    nightly.peer.faults.storage["local-a"] = 503
    ran = nightly.run("backup", "--scheduled")
    assert (ran.status, tuple(slept)) == (1, scheduled.PAUSES)
    assert ran.answer["code"] in scheduled.PASSING
    nightly.peer.faults.silent, nightly.peer.faults.storage = False, {}
    ran = nightly.run("backup", "--scheduled")
    assert (ran.status, ran.answer["code"]) == (0, "done")
    assert nightly.told == [("backup", "failed"), ("backup", "succeeded"), ("restore_check", "succeeded")]


def test_a_failure_of_its_own_is_not_repeated_each_hour(nightly: World) -> None:
    assert nightly.run("schedule", "--before", "exit 3").status == 0
    ran = nightly.run("backup", "--scheduled")
    assert (ran.status, ran.answer["code"]) == (1, "before_failed")
    assert nightly.told == [("backup", "failed")]
    assert nightly.run("backup", "--scheduled").answer["code"] == "not_due"


def test_commands_run_around_a_backup(nightly: World) -> None:
    trace = nightly.root / "trace"
    before, after = f"echo before >>{trace}", f'echo "after $STRONGROOM_OUTCOME" >>{trace}; exit 5'
    assert nightly.run("schedule", "--before", before, "--after", after).status == 0
    ran = nightly.run("backup")
    assert (ran.status, ran.answer["code"]) == (0, "done_after_failed")
    assert "The command after the backup ended with status 5." in ran.answer["message"]
    assert nightly.run("schedule", "--before", f"{before}; exit 1").status == 0
    assert nightly.run("backup").answer["code"] == "before_failed"
    assert trace.read_text().splitlines() == ["before", "after succeeded", "before", "after failed"]
    assert [run["code"] for run in nightly.peer.runs.values()] == ["done_after_failed", "before_failed"]
    trace.unlink()


def test_what_is_newly_left_out_is_not_lost_and_what_is_lost_is_told(machine: World) -> None:
    for number in range(40):
        (machine.source / f"{number}.tmp").write_bytes(b"x")
        (machine.source / f"{number}.doc").write_bytes(b"x")
    assert machine.run("backup").answer["code"] == "done"
    assert machine.run("schedule", "--exclude", "*.tmp").status == 0
    ran = machine.run("backup")
    assert (ran.answer["code"], ran.answer["files"]) == ("done", 42)
    for number in range(40):
        (machine.source / f"{number}.tmp").unlink()
    assert machine.run("backup").answer["code"] == "done"
    assert machine.run("check").status == 0
    for number in range(40):
        (machine.source / f"{number}.doc").unlink()
    (machine.source / "a.tmp").write_bytes(b"x")
    assert machine.run("schedule", "--no-exclude").status == 0
    assert machine.run("backup").answer["code"] == "done_with_losses"


def names_due(home: Home, at: datetime) -> list[str]:
    """What is due then; what comes first may cover the others."""
    return [each.name for each in follow_ups.due(home, at)]


def test_what_is_due_when(nightly: World) -> None:
    home, now = Home(nightly.home), times.now()
    assert names_due(home, now) == ["restore_check"]
    assert names_due(home, now + timedelta(days=6)) == ["restore_check"]
    assert names_due(home, now + timedelta(days=7)) == ["retain", "larger_sample", "restore_check"]
    for each in ("retain", "larger_sample"):
        plan.note_done(home, each, now + timedelta(days=29))
    assert names_due(home, now + timedelta(days=29)) == ["restore_check"]
    assert names_due(home, now + timedelta(days=30)) == ["check", "restore_check"]


def test_what_goes_well_covers_others_and_what_fails_covers_none(nightly: World) -> None:
    """A retain that goes wrong each week must not keep the machine from being proven."""
    session, ran = open_session(Home(nightly.home)), list[str]()

    def fails(_: object) -> None:
        ran.append("fails")
        raise AgentError("network", "It is away.")

    def does(name: str, covers: str = "") -> FollowUp:
        return FollowUp(name, timedelta(0), lambda _: ran.append(name), covers=frozenset({covers}))

    table = (
        FollowUp("fails", timedelta(0), fails, covers=frozenset({"small"})),
        does("large", covers="smallest"),
        does("small"),
        does("smallest"),
    )
    with pytest.raises(AgentError, match="It is away"):
        follow_ups.run(session, table)
    assert ran == ["fails", "large", "small"]
    assert {"large", "small"} <= plan.done(session.home).keys()
    assert not {"fails", "smallest"} & plan.done(session.home).keys()
