"""Thinning backups: what goes is what the portal lists, what is left is whole, and refusals are told."""

import re

import pytest

from .restores import OLD
from .serving import Storage
from .stored import copy_to_pair
from .thinned import age, assert_sound, by_hand, comes_back, everything, ids, lists, packs, retain, told
from .world import World

pytestmark = pytest.mark.system


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
    assert_sound(machine, storage)
    assert comes_back(machine, middle) == {"source/ledger.db", "source/sub/small", "old/of-1.bin"}
    assert comes_back(machine, "latest") == {"source/ledger.db", "source/sub/small"}
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
    assert ran.answer["message"].splitlines()[1:] == [
        "1 snapshot would go; 2 snapshots stay.",
        "Keep everything within 30 days.",
        "Nothing was changed.",
    ]
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
    assert_sound(machine, storage)


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
    assert_sound(machine, storage)
    assert "old/of-1.bin" in comes_back(machine, middle)


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
    assert_sound(machine, storage)
    retention.young.clear()
    copy_to_pair(storage, machine)
    again = retain(machine).answer
    assert (again["code"], again["freed_bytes"] > 600_000, again["refused_packs"]) == ("done", True, 0)
    assert_sound(machine, storage)


def test_a_snapshot_that_is_gone_already_is_left_aside(machine: World, storage: Storage) -> None:
    (old,) = age(machine, storage, 60)
    lists(machine, "0" * 64, old)
    ran = retain(machine)
    assert (ran.status, ran.answer["code"], ran.answer["forgotten"]) == (0, "done", [old])


def test_a_snapshot_dated_in_the_future_stays_and_is_named(machine: World, storage: Storage) -> None:
    old, future = age(machine, storage, 60, -400)
    lists(machine, old, future)
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert (ran.answer["forgotten"], ran.answer["held_back"]) == ([old], [future])
    assert f"the date lies in the future: {future[:8]}" in ran.answer["message"]
    assert future in ids(machine, storage)


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


@pytest.mark.parametrize("which", ["newest", "young"])
def test_a_list_beyond_reason_is_refused_whole(machine: World, storage: Storage, which: str) -> None:
    old, young = age(machine, storage, 60, 5)
    (made,) = ids(machine, storage) - {old, young}
    lists(machine, old, made if which == "newest" else young)
    before = everything(machine, storage)
    ran = retain(machine)
    assert (ran.status, ran.answer["code"], ran.answer["forgotten"]) == (1, "retain_refused", []), ran
    assert everything(machine, storage) == before
    assert retain(machine, "--dry-run").answer["code"] == "retain_refused"


@pytest.mark.parametrize("answer", [{"forget": ["--prune"]}, {"until": None}])
def test_an_answer_that_is_none_deletes_nothing(machine: World, storage: Storage, answer: dict[str, object]) -> None:
    lists(machine, answer=answer)
    before = everything(machine, storage)
    ran = retain(machine)
    assert (ran.status, ran.answer["code"]) == (1, "answer_not_understood"), ran
    assert everything(machine, storage) == before
