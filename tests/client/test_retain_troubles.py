"""Thinning that is cut off, runs out of room or meets damage: nothing that is needed goes, and the next one goes on."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from strongroom_agent.restic import removals

from tests.waiting import wait_for

from .serving import Storage
from .stored import damage, objects, repository
from .thinned import age, assert_sound, comes_back, everything, ids, lists, packs, retain, told
from .world import World

pytestmark = pytest.mark.system


@pytest.mark.parametrize("kind", ["snapshots", "data"])
def test_a_line_that_is_cut_in_the_middle_is_taken_up_again(machine: World, storage: Storage, kind: str) -> None:
    old, middle = age(machine, storage, 60, 40)
    key = ("DELETE", kind)
    retention = lists(machine, old, middle, status={key: 0}, first={key: 2})
    ran = retain(machine)
    assert (ran.status, ran.answer["code"], set(ran.answer["forgotten"])) == (0, "done", {old, middle}), ran
    assert retention.asked[key] > 2
    assert_sound(machine, storage)


def test_at_its_quota_only_whole_packs_go_and_nothing_is_moved(machine: World, storage: Storage) -> None:
    (old,) = age(machine, storage, 60)
    lists(machine, old, at_quota=True, status={("POST", "data"): 507})
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert ran.answer["freed_bytes"] > 600_000
    assert_sound(machine, storage)


def test_no_room_to_move_what_is_needed_still_frees_whole_packs(machine: World, storage: Storage) -> None:
    """The portal has not noticed that the quota is used up: restic alone would try for a quarter of an hour."""
    (machine.root / "old").mkdir()
    (machine.root / "old" / "needed.bin").write_bytes(os.urandom(600_000))  # in one pack with what is not
    old, middle, _ = age(machine, storage, 60, 50, 40, size=3_000_000)
    retention = lists(machine, old, middle, status={("POST", "data"): 507})
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert 5_000_000 > ran.answer["freed_bytes"] > 2_000_000
    assert retention.asked[("POST", "data")] > 0
    assert "no room to move" in ran.progress
    assert_sound(machine, storage)


@pytest.mark.parametrize("at_quota", [True, False])
def test_no_room_even_for_an_index_ends_soon_and_says_what_to_do(
    machine: World, storage: Storage, at_quota: bool
) -> None:
    (old,) = age(machine, storage, 60)
    retention = lists(machine, old, at_quota=at_quota, status={("POST", "index"): 507})
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (1, "no_room_to_free"), ran
    assert (ran.answer["forgotten"], ran.answer["freed_bytes"]) == ([old], 0)
    assert "run strongroom-agent retain again" in ran.answer["remedy"]
    shown = {"outcome": "failed", "code": "no_room_to_free", "forgotten": 1, "refused": 0, "freed": 0}
    assert told(machine) == [shown]
    assert_sound(machine, storage)
    retention.status.clear()
    retention.forget.clear()
    assert retain(machine).answer["freed_bytes"] > 600_000
    assert_sound(machine, storage)


@pytest.mark.parametrize(
    "at",
    [
        ("POST", "index"),
        pytest.param(("DELETE", "snapshots"), marks=pytest.mark.long),
        pytest.param(("DELETE", "index"), marks=pytest.mark.long),
        pytest.param(("DELETE", "data"), marks=pytest.mark.long),
    ],
    ids=" ".join,
)
def test_a_run_that_is_killed_is_carried_on(machine: World, storage: Storage, at: tuple[str, str]) -> None:
    old, older, middle = age(machine, storage, 60, 80, 40)
    retention = lists(machine, old, older, status={at: 503})  # restic asks again, and is killed meanwhile
    _killed(machine, lambda: retention.asked[at])
    assert_sound(machine, storage)
    gone = {old, older} - ids(machine, storage)
    assert gone == (set() if at[1] == "snapshots" else {old, older})
    lists(machine, *({old, older} - gone))
    ran = retain(machine)  # the pair still lists what went: it follows later
    assert (ran.status, ran.answer["code"], set(ran.answer["forgotten"])) == (0, "done", {old, older} - gone), ran
    assert ran.answer["freed_bytes"] > 1_200_000
    ends = [(each["code"], each["outcome"]) for each in told(machine)]
    assert ends == [("interrupted", "failed"), ("done", "succeeded")]
    assert_sound(machine, storage)
    assert "old/of-2.bin" in comes_back(machine, middle)


def _killed(world: World, there: Callable[[], object]) -> None:
    """Kill a retain that is `there`."""
    environment = {**os.environ, "STRONGROOM_AGENT_HOME": str(world.home)}
    command = [sys.executable, "-m", "strongroom_agent", "retain", "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("the place to kill it", there, seconds=120)
    finally:
        process.kill()
        process.wait(60)


def test_a_machine_that_is_shut_out_meanwhile_hears_it(machine: World, storage: Storage) -> None:
    """A 403 for a deletion is no definite no; for anything else it is."""
    (old,) = age(machine, storage, 60)
    lists(machine, old, status={("GET", "index"): 403, ("POST", "index"): 403})
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (1, "not_allowed"), ran
    assert told(machine)[0]["forgotten"] == 1
    assert_sound(machine, storage)


def test_the_announcement_is_made_again_where_it_is_over(machine: World, storage: Storage) -> None:
    (old,) = age(machine, storage, 60)
    retention = lists(machine, old, lasts=timedelta(minutes=2))
    assert retain(machine).status == 0
    assert retention.announced == 2


def test_more_snapshots_than_one_command_line_takes(
    machine: World, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = age(machine, storage, 70, 60, 50, size=10)
    monkeypatch.setattr(removals, "AT_ONCE", 2)
    lists(machine, *made)
    assert set(retain(machine).answer["forgotten"]) == set(made)
    assert_sound(machine, storage)


def test_a_damaged_repository_is_not_thinned(machine: World, storage: Storage) -> None:
    old, _ = age(machine, storage, 60, 40)
    retention = lists(machine, old)
    machine.peer.faults.damaged = True
    before = everything(machine, storage)
    ran = retain(machine)
    assert (ran.status, ran.answer["code"], ran.answer["forgotten"]) == (1, "repository_damaged", []), ran
    assert ran.answer["remedy"].startswith("Run strongroom-agent check")
    assert retention.announced == 0
    assert everything(machine, storage) == before
    machine.peer.faults.damaged = False
    assert machine.run("check").status == 0
    assert retain(machine).answer["forgotten"] == [old]


def test_a_snapshot_that_cannot_be_read_stops_it(machine: World, storage: Storage) -> None:
    old, middle = age(machine, storage, 60, 40)
    retention = lists(machine, old)
    damage(repository(storage, machine) / "snapshots" / middle, "zeros")
    ran = retain(machine)
    assert (ran.status, ran.answer["code"], retention.announced) == (1, "repository_damaged", 0), ran
    assert old in ids(machine, storage)


def test_a_snapshot_that_the_first_region_has_lost_keeps_its_data(machine: World, storage: Storage) -> None:
    """To prune, what only that one needs looks like what nobody needs."""
    old, middle = age(machine, storage, 60, 40)
    retention = lists(machine, old)
    lost = repository(storage, machine) / "snapshots" / middle
    content = lost.read_bytes()
    lost.unlink()
    before = packs(machine, storage)
    ran = retain(machine)
    assert (ran.status, ran.answer["code"], retention.announced) == (1, "regions_differ", 0), ran
    assert middle[:8] in ran.answer["message"]
    assert packs(machine, storage) == before
    lost.write_bytes(content)
    assert retain(machine).answer["forgotten"] == [old]
    assert "old/of-1.bin" in comes_back(machine, middle)


def test_a_check_that_fails_afterwards_says_where_the_deleted_is(machine: World, storage: Storage) -> None:
    (old,) = age(machine, storage, 60)
    lists(machine, old)
    damage(objects(repository(storage, machine), "data")[-1], "flipped")  # the ledger's
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (1, "repository_damaged"), ran
    assert (
        "What retain has deleted is in the trash, and can be brought back on the machine's page"
        in ran.answer["message"]
    )
    assert ran.answer["forgotten"] == [old]
    assert machine.told[:2] == [("retain", "succeeded"), ("check", "failed")]


def test_a_needed_pack_that_is_gone_stops_it_before_any_pack_goes(machine: World, storage: Storage) -> None:
    (old,) = age(machine, storage, 60)
    lists(machine, old)
    objects(repository(storage, machine), "data")[-1].unlink()
    before = packs(machine, storage)
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (1, "repository_damaged"), ran
    assert (ran.answer["forgotten"], ran.answer["freed_bytes"]) == ([old], 0)
    assert packs(machine, storage) == before
    again = retain(machine).answer
    assert again["code"] == "repository_damaged"
    assert again["message"].startswith("These backups are known to be damaged, so that nothing was deleted")
