"""Every object type, damaged in every way, in every place, before every command: no run says more than is true.

The full count runs in `make test-long`; a seeded share of it in `make test`.
"""

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from .authority import Authority
from .conftest import Storage, serving
from .stored import HOWS, KINDS, copy_to_pair, damage, objects, repository, truth
from .world import World

PLACES = ("first", "pair", "both", "cache")
COMMANDS = ("backup", "check", "restore", "snapshots", "repair")
CACHED = {"snapshots": "snapshots", "index": "index", "tree": "data"}
# What the machine cannot store again: a key, and the list of what an old snapshot was.
FOR_GOOD = ("keys", "snapshots")


def _possible(kind: str, place: str) -> bool:
    return place != "cache" or kind in CACHED


CASES = [case for case in itertools.product(KINDS, HOWS, PLACES, COMMANDS) if _possible(case[0], case[2])]
SHARE = set(random.Random(6).sample(CASES, 12))  # noqa: S311 - the same ones each time


@pytest.fixture
def machine(authority: Authority, tmp_path: Path, storage: Storage) -> Iterator[World]:
    """A machine that is backed up and copied to the pair."""
    with serving(authority, tmp_path, storage.rclone) as peer:
        peer.regions = storage.folder
        made = World(tmp_path, peer)
        made.source.mkdir()
        (made.source / "ledger.db").write_bytes(os.urandom(300_000))
        (made.source / "small").write_bytes(b"small")
        assert made.setup().status == 0
        copy_to_pair(storage, made)
        made.peer.runs.clear()
        yield made


def harm(world: World, storage: Storage, kind: str, how: str, place: str) -> None:
    """Damage the objects of a kind in a place."""
    if place == "cache":
        cached = (world.root / "cache" / "restic").glob(f"*/{CACHED[kind]}/*/*")
        for path in list(cached):
            damage(path, how)
    for region, places in (("local-a", ("first", "both")), ("local-b", ("pair", "both"))):
        if place in places:
            damage(objects(repository(storage, world, region), kind)[0], how)


@pytest.mark.system
@pytest.mark.parametrize(
    ("kind", "how", "place", "command"),
    [pytest.param(*case, id="-".join(case), marks=() if case in SHARE else pytest.mark.long) for case in CASES],
)
def test_no_run_says_more_than_is_true(
    machine: World, storage: Storage, kind: str, how: str, place: str, command: str
) -> None:
    known = {path.name for path in (repository(storage, machine) / "snapshots").iterdir()}
    harm(machine, storage, kind, how, place)
    arguments = ["--target", str(machine.root / "out")] if command == "restore" else []
    ran = machine.run(command, *arguments)
    if command == "restore":
        _restored_truly(machine, ran.status)
    elif command == "snapshots":
        assert ran.status or {each["id"] for each in ran.answer["snapshots"]} == known, ran
    elif command == "check":
        assert ran.status == (1 if place in ("first", "both") else 0), ran
    if place in ("pair", "cache") and command != "repair":
        assert ran.status == 0, ran
    if place == "first" and command in ("restore", "snapshots") and how != "gone":
        assert ran.status == 0, ran
    outcomes = [outcome for _, outcome in machine.told]
    assert ("failed" in outcomes) is (ran.status != 0 and command != "snapshots"), (ran, machine.told)
    if kind not in FOR_GOOD:
        _repairable(machine)


def _restored_truly(machine: World, status: int) -> None:
    """What is under its name is true, and all is there when the run says so."""
    restored = truth(Path(f"{machine.root}/out{machine.source}"))
    assert restored.items() <= truth(machine.source).items()
    assert status or restored == truth(machine.source)


def _repairable(machine: World) -> None:
    """The machine still has everything: a repair makes the newest backup whole, and a restore proves it."""
    repaired = machine.run("repair")
    assert repaired.status == 0 or repaired.answer["code"] == "repair_incomplete", repaired
    assert machine.run("backup").status == 0
    ran = machine.run("restore", "--target", str(machine.root / "whole"))
    assert ran.status == 0, ran
    assert truth(Path(f"{machine.root}/whole{machine.source}")) == truth(machine.source)
