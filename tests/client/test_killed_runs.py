"""`kill -9` of the agent or its restic at random moments of any command: nothing is lost, and the next run carries on.

`make test` runs a seeded share; `make test-long` the full count. A failing round says what was killed when.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.long import LONG
from tests.waiting import wait_for

from .restores import restore, restored
from .serving import Storage
from .stored import copy_to_pair, truth
from .thinned import age, assert_sound, ids, lists
from .world import World

pytestmark = pytest.mark.system
ROUNDS = 50 if LONG else 6
SEED = 20261128
COMMANDS = ("backup", "restore", "check", "retain", "repair")
PROGRAM = [sys.executable, "-m", "strongroom_agent"]


@dataclass(frozen=True)
class Round:
    """One command that is killed: what of it, and after which share of the time that it takes."""

    number: int
    command: str
    whom: str  # agent or restic
    share: float

    def __str__(self) -> str:
        return f"round {self.number}: {self.whom} killed after {self.share:.0%} of {self.command}"


def rounds() -> Iterator[Round]:
    """Each command in turn, killed at moments that are the same in each run."""
    source = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    for number in range(ROUNDS):
        whom = "agent" if number % 2 else "restic"
        yield Round(number, COMMANDS[number % len(COMMANDS)], whom, source.random())


def words(world: World, command: str, target: str) -> list[str]:
    """The command line."""
    return [command, "--target", str(world.root / target)] if command == "restore" else [command]


def started(world: World, command: str, target: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "STRONGROOM_AGENT_HOME": str(world.home)}
    return subprocess.Popen(
        [*PROGRAM, *words(world, command, target), "--json"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def restics_of(process: "subprocess.Popen[bytes]") -> list[int]:
    """The agent's children at this moment."""
    try:
        return [int(each) for each in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def kill(process: "subprocess.Popen[bytes]", whom: str) -> None:
    """At once; what has ended already cannot be killed any more."""
    for pid in restics_of(process) if whom == "restic" else [process.pid]:
        with_it = Path(f"/proc/{pid}")
        if with_it.exists():
            os.kill(pid, signal.SIGKILL)
    process.wait(180)


def change(world: World, number: int) -> None:
    """New content in one file, a new file, and one that goes: each backup has something to do."""
    (world.source / "changing.bin").write_bytes(os.urandom(300_000))
    (world.source / f"new-{number}").write_bytes(os.urandom(2_000))
    (world.source / f"new-{number - 3}").unlink(missing_ok=True)


def test_the_next_run_carries_on(machine: World, storage: Storage) -> None:
    durations: dict[str, float] = {}
    for command in COMMANDS:  # how long each takes here, unharmed
        change(machine, -100)
        lists(machine)
        began = time.monotonic()
        process = started(machine, command, f"measured-{command}")
        assert process.wait(300) == 0, command
        durations[command] = time.monotonic() - began
    for one in rounds():
        print(one)  # noqa: T201 - shown when the round fails
        change(machine, one.number)
        if one.command == "retain":
            (old,) = age(machine, storage, 60 + one.number, size=50_000)
            lists(machine, old)
        else:
            lists(machine)
        before = ids(machine, storage)
        process = started(machine, one.command, f"killed-{one.number}")
        ends = time.monotonic() + one.share * durations[one.command]
        wait_for("the moment", lambda ends=ends: time.monotonic() >= ends, pause=0.005)  # type: ignore[misc]
        kill(process, one.whom)
        wait_for("restic to end", lambda process=process: not restics_of(process))  # type: ignore[misc]
        if one.command != "retain":
            assert before <= ids(machine, storage)

        if one.command == "retain":
            ran = machine.run("retain")
            assert (ran.status, old in ids(machine, storage)) == (0, False), ran
        ran = machine.run("backup")
        assert (ran.status, ran.answer["code"]) == (0, "done"), ran
        ran = machine.run("check")
        assert (ran.status, ran.answer["code"]) == (0, "done"), ran
        ran = restore(machine, name=f"out-{one.number}")
        assert (ran.status, ran.answer["code"]) == (0, "done"), ran
        assert restored(machine, f"out-{one.number}") == truth(machine.source)
        assert list((machine.root / "cache").glob("restore-check-*")) == []
        copy_to_pair(storage, machine)
        for left in machine.root.glob("*-*"):
            if left.is_dir() and left.name.startswith(("out-", "killed-", "measured-")):
                shutil.rmtree(left)
    assert_sound(machine, storage)
