"""The newest snapshot is gone from storage: no command takes an older one for it without a word."""

import json
from pathlib import Path

import pytest
from strongroom_agent.restic.snapshots import Snapshot
from strongroom_agent.state import last_snapshot
from strongroom_agent.state.home import Home

from .serving import Storage
from .stored import copy_to_pair, repository
from .world import World

pytestmark = pytest.mark.system


@pytest.fixture
def gone(world: World, storage: Storage) -> tuple[World, str, str]:
    """A machine with two snapshots of which the newer is in no region; the ids of the older and the newer."""
    older = world.setup().answer["backup"]["snapshot"]
    newer = world.run("backup").answer["snapshot"]
    (repository(storage, world) / "snapshots" / newer).unlink()
    world.peer.runs.clear()
    return world, older, newer


def test_check_fails_and_the_next_backup_ends_it(gone: tuple[World, str, str]) -> None:
    machine, _, newer = gone
    ran = machine.run("check")
    assert (ran.status, ran.answer["code"]) == (1, "repository_damaged"), ran
    assert f"Snapshot {newer[:8]} of " in ran.answer["message"]
    assert "UTC, the last one that this machine made, is in no region any more." in ran.answer["message"]
    assert ran.answer["remedy"].startswith("Run strongroom-agent backup: everything that is on this machine now")
    assert machine.told == [("check", "failed")]
    assert machine.run("backup").answer["code"] == "done_on_damaged"
    assert machine.run("check").answer["code"] == "done"
    assert machine.run("backup").answer["code"] == "done"


@pytest.mark.long
def test_a_backup_tells_it_once(gone: tuple[World, str, str]) -> None:
    machine, _, newer = gone
    ran = machine.run("backup")
    assert (ran.status, ran.answer["code"]) == (0, "done_on_damaged"), ran
    assert ran.answer["message"].count(f"Snapshot {newer[:8]} of ") == 1
    assert "run strongroom-agent check" in ran.answer["remedy"]
    assert machine.run("backup").answer["code"] == "done"


def test_snapshots_and_restore_name_it_and_offer_the_newest_there_is(
    gone: tuple[World, str, str], tmp_path: Path
) -> None:
    machine, older, newer = gone
    ran = machine.run("snapshots")
    assert (ran.status, ran.answer["code"], ran.answer["lost_snapshot"]) == (1, "repository_damaged", newer), ran
    assert [each["id"] for each in ran.answer["snapshots"]] == [older]
    ran = machine.run("restore", "--target", str(tmp_path / "out"))
    assert (ran.status, ran.answer["code"]) == (1, "repository_damaged"), ran
    assert f"Snapshot {newer[:8]} of " in ran.answer["message"]
    assert f"--snapshot {older[:8]}" in ran.answer["remedy"]
    assert machine.run("restore", "--target", str(tmp_path / "out"), "--snapshot", older).status == 0
    machine.peer.faults.storage["local-b"] = 503
    ran = machine.run("restore", "--target", str(tmp_path / "old"))
    assert (ran.status, ran.answer["snapshot"]) == (0, older), ran
    assert f"Snapshot {newer[:8]} of " in ran.answer["message"]
    assert "this is an older one" in ran.answer["message"]


@pytest.mark.long
def test_repair_tells_it(gone: tuple[World, str, str]) -> None:
    machine, _, newer = gone
    ran = machine.run("repair")
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert ran.answer["message"].startswith(f"Snapshot {newer[:8]} of ")
    assert machine.run("check").answer["code"] == "done"


def test_what_the_copy_still_has_is_restored_and_only_the_check_of_the_first_region_fails(
    world: World, storage: Storage, tmp_path: Path
) -> None:
    world.setup()
    newer = world.run("backup").answer["snapshot"]
    copy_to_pair(storage, world)
    (repository(storage, world) / "snapshots" / newer).unlink()
    ran = world.run("restore", "--target", str(tmp_path / "out"))
    assert (ran.status, ran.answer["snapshot"]) == (0, newer), ran
    assert world.run("snapshots").status == 0
    ran = world.run("check")
    assert (ran.status, "the copy in the paired region has it" in ran.answer["message"]) == (1, True), ran


def test_leaving_the_vault_forgets_it(world: World) -> None:
    world.setup()
    assert world.home.joinpath("last-snapshot.json").exists()
    assert world.run("unregister").status == 0
    assert not world.home.joinpath("last-snapshot.json").exists()


def test_damaged_memory_stops_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for text in ("{", "[]", "{}", json.dumps({"snapshot": "ab", "time": "yesterday"}), json.dumps({"snapshot": ["x"]})):
        home.write_text("last-snapshot.json", text)
        assert last_snapshot.known(home) is None
    last_snapshot.remember(home, "ab" * 32, "2026-11-26T04:05:19.000000Z")
    assert last_snapshot.older(home, Snapshot("cd", "2026-11-26T05:05:20+01:00", [], "h")) == ""
    assert "is not in what was read" in last_snapshot.older(home, Snapshot("cd", "2026-11-26T05:05:18+01:00", [], "h"))
