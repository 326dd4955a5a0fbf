"""Snapshots of other days in a machine's repository, and what a retain has left of it."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .cheap_key import PASSPHRASE
from .restores import restore
from .serving import Storage
from .stored import copy_to_pair, repository, truth
from .trash import Retention
from .world import Ran, World

RESTIC = str(Path(sys.executable).parent / "restic")
"""A recent one, which `make setup` has put there."""


def by_hand(world: World, storage: Storage, *arguments: str) -> str:
    """The stock restic on the repository's folder, beside the edge and its rules."""
    environment = {"RESTIC_PASSWORD": PASSPHRASE, "HOME": str(world.root), "PATH": os.environ["PATH"]}
    command = [RESTIC, "--repo", str(repository(storage, world)), "--no-cache", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def age(world: World, storage: Storage, *days: int, size: int = 600_000) -> list[str]:
    """A snapshot of so many days ago for each, with a file of its own beside what is protected; their ids."""
    made = list[str]()
    folder = world.root / "old"
    folder.mkdir(exist_ok=True)
    for number, each in enumerate(days):
        own = folder / f"of-{number}.bin"
        own.write_bytes(os.urandom(size))
        began, before = datetime.now(UTC) - timedelta(days=each), ids(world, storage)
        how = ["-q", "--host", "hr-db-02", "--time", f"{began:%Y-%m-%d %H:%M:%S}"]
        by_hand(world, storage, "backup", *how, str(world.source), str(folder))
        own.unlink()
        made += ids(world, storage) - before
    assert len(made) == len(days)
    copy_to_pair(storage, world)
    return made


def ids(world: World, storage: Storage) -> set[str]:
    """The snapshots that are stored."""
    return {path.name for path in (repository(storage, world) / "snapshots").iterdir()}


def packs(world: World, storage: Storage) -> dict[str, int]:
    """The packs that are stored, with their sizes."""
    found = (repository(storage, world) / "data").rglob("*")
    return {path.name: path.stat().st_size for path in found if path.is_file()}


def everything(world: World, storage: Storage) -> dict[str, bytes]:
    """Each object that is stored, but locks."""
    folder = repository(storage, world)
    found = [path for kind in ("data", "index", "keys", "snapshots") for path in (folder / kind).rglob("*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.is_file()}


def lists(world: World, *forget: str, **other: object) -> Retention:
    """From now on the portal lists these snapshots."""
    world.peer.retention = Retention(forget=list(forget), **other)  # type: ignore[arg-type]
    return world.peer.retention


def retain(world: World, *more: str, **environment: str) -> Ran:
    """The command."""
    return world.run("retain", *more, **environment)


def assert_sound(world: World, storage: Storage) -> None:
    """restic's own check reads all that is stored and finds no error."""
    assert "no errors were found" in by_hand(world, storage, "check", "--read-data")


def comes_back(world: World, snapshot: str) -> set[str]:
    """The names of the files that a restore of a snapshot gives back; those that are protected, byte for byte."""
    ran = restore(world, "--snapshot", snapshot, name=snapshot[:8])
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    out = Path(f"{world.root}/{snapshot[:8]}{world.root}")
    assert truth(out / "source") == truth(world.source)
    return set(truth(out))


def told(world: World) -> list[dict[str, object]]:
    """What the portal was told of retains."""
    shown = ("outcome", "code", "forgotten", "refused", "freed")
    return [{k: run[k] for k in shown if k in run} for run in world.peer.runs.values() if run["kind"] == "retain"]
