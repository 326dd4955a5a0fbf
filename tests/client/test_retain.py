"""Thinning backups: what goes is what the portal lists, what is left is whole, and refusals are told."""

import os
import re
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from strongroom_agent.restic import removals

from tests.waiting import wait_for

from .cheap_key import PASSPHRASE
from .prepared import Prepared
from .restores import OLD
from .serving import Storage
from .stored import copy_to_pair, damage, objects, repository, truth
from .trash import Retention
from .world import Ran, World

pytestmark = pytest.mark.system
RESTIC = str(Path(sys.executable).parent / "restic")
"""Recent, as CI has it."""


def by_hand(world: World, storage: Storage, *arguments: str) -> str:
    """The stock restic on the repository's folder, beside the edge and its rules."""
    environment = {"RESTIC_PASSWORD": PASSPHRASE, "HOME": str(world.root), "PATH": os.environ["PATH"]}
    command = [RESTIC, "--repo", str(repository(storage, world)), "--no-cache", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def age(world: World, storage: Storage, *days: int, size: int = 600_000) -> list[str]:
    """A snapshot of so many days ago for each, with a file of its own that is gone afterwards; their ids."""
    made = []
    for number, each in enumerate(days):
        own = world.source / f"of-{number}.bin"
        own.write_bytes(os.urandom(size))
        began = datetime.now(UTC) - timedelta(days=each)
        before = ids(world, storage)
        by_hand(
            world,
            storage,
            "backup",
            "-q",
            "--host",
            "hr-db-02",
            "--time",
            f"{began:%Y-%m-%d %H:%M:%S}",
            str(world.source),
        )
        own.unlink()
        made += ids(world, storage) - before
    assert len(made) == len(days)
    copy_to_pair(storage, world)
    return made


def ids(world: World, storage: Storage) -> set[str]:
    return {path.name for path in (repository(storage, world) / "snapshots").iterdir()}


def packs(world: World, storage: Storage) -> dict[str, int]:
    found = (repository(storage, world) / "data").rglob("*")
    return {path.name: path.stat().st_size for path in found if path.is_file()}


def everything(world: World, storage: Storage) -> dict[str, bytes]:
    """Each object that is stored but locks."""
    kinds = ("data", "index", "keys", "snapshots")
    folder = repository(storage, world)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for kind in kinds
        for path in (folder / kind).rglob("*")
        if path.is_file()
    }


def lists(world: World, *forget: str, **other: object) -> Retention:
    """The portal lists these snapshots."""
    world.peer.retention = Retention(forget=list(forget), **other)  # type: ignore[arg-type]
    return world.peer.retention


def retain(world: World, *more: str, **environment: str) -> Ran:
    return world.run("retain", *more, **environment)


def is_sound(world: World, storage: Storage) -> None:
    """restic's own check reads all that is stored and finds no error."""
    assert "no errors were found" in by_hand(world, storage, "check", "--read-data")


def comes_back(world: World, snapshot: str, name: str) -> dict[str, bytes]:
    ran = world.run("restore", "--target", str(world.root / name), "--snapshot", snapshot)
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    return truth(Path(f"{world.root}/{name}{world.source}"))


def told(world: World) -> list[dict[str, object]]:
    """What the portal was told of retains."""
    shown = ("outcome", "code", "forgotten", "refused", "freed")
    return [{k: run[k] for k in shown if k in run} for run in world.peer.runs.values() if run["kind"] == "retain"]


def test_what_the_portal_lists_goes_and_what_is_left_is_whole(machine: World, storage: Storage) -> None:
    old, middle = age(machine, storage, 60, 40)
    newest = ids(machine, storage) - {old, middle}
    lists(machine, old)
    before = packs(machine, storage)
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert ran.answer["forgotten"] == [old]
    assert (ran.answer["kept"], ran.answer["refused"], ran.answer["dry_run"]) == (2, [], False)
    assert ids(machine, storage) == {middle, *newest}
    freed = sum(before.values()) - sum(packs(machine, storage).values())
    assert ran.answer["freed_bytes"] == freed > 600_000
    assert machine.told == [("retain", "succeeded"), ("check", "succeeded"), ("restore_check", "succeeded")]
    assert told(machine) == [{"outcome": "succeeded", "code": "done", "forgotten": 1, "refused": 0, "freed": freed}]
    is_sound(machine, storage)
    assert set(comes_back(machine, middle, "middle")) == {"ledger.db", "sub/small", "of-1.bin"}
    assert comes_back(machine, "latest", "now") == truth(machine.source)
    assert machine.run("status").answer["last_runs"]["retain"]["code"] == "done"


def test_a_dry_run_says_what_would_go_and_changes_nothing_anywhere(machine: World, storage: Storage) -> None:
    old, _ = age(machine, storage, 60, 40)
    retention = lists(machine, old)
    before = everything(machine, storage)
    machine.peer.requests.clear()
    ran = retain(machine, "--dry-run")
    assert (ran.status, ran.answer["forgotten"], ran.answer["kept"], ran.answer["dry_run"]) == (0, [old], 2, True)
    assert [each["id"] for each in ran.answer["snapshots"]] == [old]
    assert re.search(rf"^{old[:8]}  .* UTC  2\.5 MiB$", ran.answer["message"], re.MULTILINE)
    assert "Keep everything within 30 days." in ran.answer["message"]
    assert everything(machine, storage) == before
    assert retention.announced == 0
    assert machine.told == []
    changing = [each for each in machine.peer.requests if each[0] in ("POST", "DELETE") and each[1].startswith("/")]
    assert changing == []


def test_nothing_on_the_list_still_frees_what_nothing_needs(machine: World, storage: Storage) -> None:
    """As after a run that was killed between its two halves."""
    (old,) = age(machine, storage, 60)
    by_hand(machine, storage, "forget", old)
    copy_to_pair(storage, machine)
    lists(machine)
    ran = retain(machine)
    assert (ran.status, ran.answer["forgotten"]) == (0, [])
    assert ran.answer["freed_bytes"] > 600_000
    is_sound(machine, storage)


def test_snapshots_that_the_storage_refuses_are_told_and_stay_whole(machine: World, storage: Storage) -> None:
    old, middle = age(machine, storage, 60, 40)
    lists(machine, old, middle, young={middle})
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (0, "done_with_refusals"), ran
    assert (ran.answer["forgotten"], ran.answer["refused"], ran.answer["kept"]) == ([old], [middle], 2)
    assert middle[:8] in ran.answer["message"]
    assert "The next retain tries again." in ran.answer["remedy"]
    assert [(each["code"], each["forgotten"], each["refused"]) for each in told(machine)] == [
        ("done_with_refusals", 1, 1)
    ]
    is_sound(machine, storage)
    assert "of-1.bin" in comes_back(machine, middle, "middle")


def test_packs_that_are_too_young_are_a_remark_and_go_later(machine: World, storage: Storage) -> None:
    (old,) = age(machine, storage, 60)
    retention = lists(machine, old, young=set(packs(machine, storage)))
    before = packs(machine, storage)
    ran = retain(machine)
    assert (ran.status, ran.answer["code"], ran.answer["freed_bytes"]) == (0, "done", 0), ran
    assert ran.answer["refused_packs"] > 0
    assert ran.answer["refused_bytes"] > 600_000
    assert "not old enough yet: a later retain frees that." in ran.answer["message"]
    assert before.items() <= packs(machine, storage).items()
    is_sound(machine, storage)
    retention.young.clear()
    copy_to_pair(storage, machine)
    again = retain(machine).answer
    assert (again["code"], again["freed_bytes"] > 600_000, again["refused_packs"]) == ("done", True, 0)
    is_sound(machine, storage)


@pytest.mark.parametrize("kind", ["snapshots", "data"])
def test_a_line_that_is_cut_in_the_middle_is_taken_up_again(machine: World, storage: Storage, kind: str) -> None:
    old, middle = age(machine, storage, 60, 40)
    key = ("DELETE", kind)
    retention = lists(machine, old, middle, status={key: 0}, first={key: 2})
    ran = retain(machine)
    assert (ran.status, ran.answer["code"], set(ran.answer["forgotten"])) == (0, "done", {old, middle}), ran
    assert retention.asked[key] > 2
    is_sound(machine, storage)


def test_at_its_quota_only_whole_packs_go_and_nothing_is_moved(machine: World, storage: Storage) -> None:
    (old,) = age(machine, storage, 60)
    lists(machine, old, at_quota=True, status={("POST", "data"): 507})
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert ran.answer["freed_bytes"] > 600_000
    is_sound(machine, storage)


def test_no_room_to_move_what_is_needed_still_frees_whole_packs(machine: World, storage: Storage) -> None:
    """The portal has not noticed that the quota is used up: restic alone would try for a quarter of an hour."""
    (machine.source / "needed.bin").write_bytes(os.urandom(600_000))  # in one pack with what is not
    old, middle, _ = age(machine, storage, 60, 50, 40, size=3_000_000)
    retention = lists(machine, old, middle, status={("POST", "data"): 507})
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert 5_000_000 > ran.answer["freed_bytes"] > 2_000_000
    assert retention.asked[("POST", "data")] > 0
    assert "no room to move" in ran.progress
    is_sound(machine, storage)


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
    is_sound(machine, storage)
    retention.status.clear()
    retention.forget.clear()
    assert retain(machine).answer["freed_bytes"] > 600_000
    is_sound(machine, storage)


def test_a_run_that_is_killed_before_the_packs_go_is_carried_on(machine: World, storage: Storage) -> None:
    old, middle = age(machine, storage, 60, 40)
    retention = lists(machine, old, status={("POST", "index"): 503})
    environment = {**os.environ, "STRONGROOM_AGENT_HOME": str(machine.home)}
    process = subprocess.Popen(
        [sys.executable, "-m", "strongroom_agent", "retain", "--json"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for("the new index", lambda: retention.asked[("POST", "index")], seconds=120)
    finally:
        process.kill()
        process.wait(60)
    assert old not in ids(machine, storage)
    is_sound(machine, storage)
    machine.peer.retention = Retention()
    ran = retain(machine)  # the pair still lists what went: it follows later
    assert (ran.status, ran.answer["code"], ran.answer["forgotten"]) == (0, "done", []), ran
    assert ran.answer["freed_bytes"] > 600_000
    assert [(each["code"], each["outcome"]) for each in told(machine)] == [
        ("interrupted", "failed"),
        ("done", "succeeded"),
    ]
    is_sound(machine, storage)
    assert "of-1.bin" in comes_back(machine, middle, "middle")


def test_a_machine_that_is_shut_out_meanwhile_hears_it(machine: World, storage: Storage) -> None:
    """A 403 for a deletion is no definite no; for anything else it is."""
    (old,) = age(machine, storage, 60)
    lists(machine, old, status={("GET", "index"): 403, ("POST", "index"): 403})
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (1, "not_allowed"), ran
    assert told(machine)[0]["forgotten"] == 1
    is_sound(machine, storage)


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
    is_sound(machine, storage)


def test_a_snapshot_that_is_gone_already_is_left_aside(machine: World, storage: Storage) -> None:
    (old,) = age(machine, storage, 60)
    lists(machine, "0" * 64, old)
    ran = retain(machine)
    assert (ran.status, ran.answer["code"], ran.answer["forgotten"]) == (0, "done", [old])


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
    assert "of-1.bin" in comes_back(machine, middle, "middle")


def test_a_check_that_fails_afterwards_says_where_the_deleted_is(machine: World, storage: Storage) -> None:
    (old,) = age(machine, storage, 60)
    lists(machine, old)
    ledger = objects(repository(storage, machine), "data")
    needed = {line.split()[-1] for line in by_hand(machine, storage, "list", "packs").splitlines()}
    victim = max((path for path in ledger if path.name in needed), key=lambda path: path.stat().st_size)
    damage(victim, "flipped")
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (1, "repository_damaged"), ran
    assert (
        "What retain has deleted is in the trash, and can be brought back on the machine's page"
        in ran.answer["message"]
    )
    assert ran.answer["forgotten"] == [old]
    assert ("retain", "succeeded") in machine.told
    assert ("check", "failed") in machine.told


@pytest.mark.parametrize("which", ["newest", "last", "all", "young"])
def test_a_list_beyond_reason_is_refused_whole(machine: World, storage: Storage, which: str) -> None:
    old, young = age(machine, storage, 60, 5)
    (made,) = ids(machine, storage) - {old, young}
    chosen = {"newest": [old, made], "last": [made], "all": [old, young, made], "young": [old, young]}[which]
    lists(machine, *chosen)
    before = everything(machine, storage)
    ran = retain(machine)
    assert (ran.status, ran.answer["code"], ran.answer["forgotten"]) == (1, "retain_refused", []), ran
    assert "This machine has deleted nothing" in ran.answer["message"]
    assert everything(machine, storage) == before
    assert retain(machine, "--dry-run").answer["code"] == "retain_refused"


def test_a_snapshot_dated_in_the_future_stays_and_is_named(machine: World, storage: Storage) -> None:
    old, future = age(machine, storage, 60, -400)
    lists(machine, old, future)
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert (ran.answer["forgotten"], ran.answer["held_back"]) == ([old], [future])
    assert f"the date lies in the future: {future[:8]}" in ran.answer["message"]
    assert future in ids(machine, storage)


@pytest.mark.parametrize(
    "answer",
    [
        {"forget": None},
        {"forget": ["latest"]},
        {"forget": ["--prune"]},
        {"forget": ["a" * 63]},
        {"keep": "1"},
        {"minimum_retention_days": 0},
        {"minimum_retention_days": True},
        {"at_quota": "no"},
        {"until": "soon"},
        {"until": None},
        {"policy": 1},
    ],
)
def test_an_answer_that_is_none_deletes_nothing(machine: World, storage: Storage, answer: dict[str, object]) -> None:
    (old,) = age(machine, storage, 60)
    lists(machine, old, answer=answer)
    before = everything(machine, storage)
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (1, "answer_not_understood"), ran
    assert everything(machine, storage) == before


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_an_older_portal_is_named_and_no_run_is_reported(machine: World, more: list[str]) -> None:
    ran = retain(machine, *more)
    assert (ran.status, ran.answer["code"]) == (1, "portal_too_old"), ran
    assert "older than this agent" in ran.answer["message"]
    assert machine.told == []
    assert machine.run("status").answer["running"] is None


def test_an_older_engine_is_refused_before_anything(machine: World) -> None:
    retention = lists(machine)
    ran = retain(machine, RESTIC=OLD)
    assert (ran.status, ran.answer["code"], retention.announced) == (1, "engine_too_old", 0)


@pytest.mark.parametrize(("line", "code", "status"), [("extra", "usage", 2), ("", "not_registered", 1)])
def test_wrong_input(world: World, line: str, code: str, status: int) -> None:
    ran = retain(world, "--dry-run", *line.split())
    assert (ran.status, ran.answer["code"]) == (status, code)
