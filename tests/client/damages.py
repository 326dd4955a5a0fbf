"""Every object type, damaged in every way, in every place, before every command: no run says more than is true.

The full count runs in `make test-long`; a seeded share of it in `make test`.
"""

import itertools
import random
from pathlib import Path

import pytest

from .serving import Storage
from .stored import HOWS, damage, objects, repository, truth
from .world import World

PLACES = ("first", "pair", "both", "cache")
COMMANDS = ("backup", "check", "restore", "snapshots", "repair")
CACHED = {"snapshots": "snapshots", "index": "index", "tree": "data"}
# What the machine cannot store again: the way in, and the list of what an old snapshot was.
FOR_GOOD = ("config", "keys", "snapshots")
SHARE = 2  # of each kind, in `make test`

Case = tuple[str, str, str, str]


def cases(*kinds: str) -> pytest.MarkDecorator:
    """All cases of the kinds, most of them marked long."""
    found = list[object]()
    for kind in kinds:
        places = [place for place in PLACES if place != "cache" or kind in CACHED]
        of_kind = list(itertools.product([kind], HOWS, places, COMMANDS))
        share = set(random.Random(kind).sample(of_kind, SHARE))  # noqa: S311 - the same ones each time
        for case in of_kind:
            found.append(pytest.param(*case, id="-".join(case), marks=() if case in share else pytest.mark.long))
    return pytest.mark.parametrize(("kind", "how", "place", "command"), found)


def harm(world: World, storage: Storage, kind: str, how: str, place: str) -> None:
    """Damage the objects of a kind in a place."""
    if place == "cache":
        cached = list((world.root / "cache" / "restic").glob(f"*/{CACHED[kind]}/*/*"))
        assert cached
        for path in cached:
            damage(path, how)
    for region, places in (("local-a", ("first", "both")), ("local-b", ("pair", "both"))):
        if place in places:
            damage(objects(repository(storage, world, region), kind)[0], how)


def no_run_says_more_than_is_true(
    machine: World, storage: Storage, kind: str, how: str, place: str, command: str
) -> None:
    """One case: harm, run, judge the end, then repair what can be repaired."""
    known = {path.name for path in (repository(storage, machine) / "snapshots").iterdir()}
    harm(machine, storage, kind, how, place)
    arguments = ["--target", str(machine.root / "out")] if command == "restore" else []
    ran = machine.run(command, *arguments)
    if command == "restore":
        _restored_truly(machine, ran.status)
    elif command == "snapshots":
        listed = {each["id"] for each in ran.answer.get("snapshots", [])}
        assert listed == known or ran.answer["code"] in ("repository_damaged", "repository_missing"), ran
    elif command == "check":
        assert ran.status == (1 if place in ("first", "both") else 0), ran
    if place in ("pair", "cache"):
        assert ran.status == 0, ran
    if place == "first" and command in ("restore", "snapshots"):
        assert ran.status == 0, ran
    outcomes = [outcome for _, outcome in machine.told]
    assert ("failed" in outcomes) is (ran.status != 0 and command != "snapshots"), (ran, machine.told)
    if kind not in FOR_GOOD or place in ("pair", "cache"):
        old_lost = kind == "tree" and how in ("half", "gone") and place in ("first", "both")
        _repairable(machine, old_lost=old_lost)


def _restored_truly(machine: World, status: int) -> None:
    """What is under its name is true, and all is there when the run says so."""
    restored = truth(Path(f"{machine.root}/out{machine.source}"))
    assert restored.items() <= truth(machine.source).items()
    assert status or restored == truth(machine.source)


def _repairable(machine: World, *, old_lost: bool) -> None:
    """The machine still has all files: a repair makes the newest backup whole, and a restore proves it.

    The older one is whole too, and a check passes, unless a tree of it is lost, also from the cache: the folders above
    the files have changed since, so nobody can store the same again.
    """
    repaired = machine.run("repair")
    assert repaired.answer["code"] == ("repair_incomplete" if old_lost else "done"), repaired
    assert repaired.answer["newest_whole"] is True
    backed_up = machine.run("backup")
    assert (backed_up.status, backed_up.answer["code"]) == (0, "done_on_damaged" if old_lost else "done"), backed_up
    checked = machine.run("check")
    assert checked.answer["code"] == ("repository_damaged" if old_lost else "done"), checked
    restored = machine.run("restore", "--target", str(machine.root / "whole"))
    assert (restored.status, restored.answer["code"]) == (0, "done"), restored
    assert truth(Path(f"{machine.root}/whole{machine.source}")) == truth(machine.source)
