"""Restoring as an ordinary user: an owner that cannot be set is a remark, a file that cannot be replaced a failure."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .authority import Authority
from .restores import restored
from .serving import Storage, serving
from .stored import truth
from .world import Ran, World, one_object

pytestmark = [pytest.mark.system, pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")]
SOMEBODY = 65534


def restore_as_somebody(world: World, *more: str) -> Ran:
    """Restore in a process that may read everything, as the tests' Python may lie in a closed folder, and no more."""
    drop = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups"]
    drop += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search", sys.executable]
    command = [*drop, "-m", "strongroom_agent", "restore", "--target", str(world.root / "out"), *more, "--json"]
    environment = {"PATH": os.environ["PATH"], "STRONGROOM_AGENT_HOME": str(world.home), "HOME": str(world.root)}
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
    return Ran(done.returncode, one_object(done.stdout, done.returncode), done.stderr)


@pytest.fixture(scope="module")
def _theirs(authority: Authority, storage: Storage) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder, serving(authority, Path(folder), storage.rclone) as peer:
        root = Path(folder)
        root.chmod(0o755)
        machine = World(root, peer)
        (machine.source / "sub").mkdir(parents=True)
        for name in ("own", "sub/roots"):
            (machine.source / name).write_bytes(name.encode() * 1000)
        os.chown(machine.source / "own", SOMEBODY, SOMEBODY)
        assert machine.setup().status == 0
        for each in (root, *root.rglob("*")):
            if machine.source not in (each, *each.parents):
                os.lchown(each, SOMEBODY, SOMEBODY)
        yield machine


@pytest.fixture
def theirs(_theirs: World) -> World:
    """A machine whose agent is an ordinary user's, with a file that belongs to root among what it backed up."""
    shutil.rmtree(_theirs.root / "out", ignore_errors=True)
    _theirs.peer.runs.clear()
    return _theirs


def place(world: World, owner: int) -> Path:
    """The folder `sub` in the target, somebody's own but for `sub` and what is in it."""
    folder = Path(f"{world.root}/out{world.source}/sub")
    folder.mkdir(parents=True)
    (folder / "roots").write_bytes(b"old")
    (folder.parent / "own").write_bytes(b"old")
    for each in (world.root / "out", *(world.root / "out").rglob("*")):
        os.chown(each, SOMEBODY, SOMEBODY)
    os.chown(folder / "roots", owner, owner)
    return folder


def test_owners_that_cannot_be_set_are_a_remark(theirs: World) -> None:
    ran = restore_as_somebody(theirs)
    assert (ran.status, ran.answer["code"], ran.answer["proven"]) == (0, "done", 2), ran
    assert f"{theirs.source}/sub/roots" in ran.answer["attributes_not_set_first"]
    assert f"{theirs.source}/own" not in ran.answer["attributes_not_set_first"]
    assert "(in the backup it belongs to user 0 and group 0)" in ran.answer["message"]
    assert restored(theirs) == truth(theirs.source)


def test_files_of_ones_own_are_replaced_whatever_their_mode(theirs: World) -> None:
    folder = place(theirs, SOMEBODY)
    (folder / "roots").chmod(0o444)
    (folder.parent / "own").chmod(0)
    ran = restore_as_somebody(theirs, "--overwrite")
    assert (ran.status, ran.answer["code"], ran.answer["proven"]) == (0, "done", 2), ran
    assert restored(theirs) == truth(theirs.source)


@pytest.mark.parametrize("old", [b"old", b"y" * 9000], ids=["another length", "the same length"])
@pytest.mark.parametrize("closed", ["folder", "sticky"])
def test_a_file_of_another_that_cannot_be_replaced_is_named(theirs: World, closed: str, old: bytes) -> None:
    """restic complains of no more than its mode, and has not compared its content."""
    folder = place(theirs, 0)
    (folder / "roots").write_bytes(old)
    os.chown(folder, 0, 0)
    folder.chmod(0o1777 if closed == "sticky" else 0o755)
    ran = restore_as_somebody(theirs, "--overwrite")
    assert (ran.status, ran.answer["code"], ran.answer["proven"]) == (1, "restore_incomplete", 1), ran
    assert ran.answer["missing_first"] == [f"{theirs.source}/sub/roots"]
    assert f"{folder}/roots: operation not permitted)" in ran.answer["message"]
    assert ran.answer["remedy"].startswith("Check owner and permissions of what is in the target")
    assert "region" not in ran.answer["message"]
    assert restored(theirs) == {**truth(theirs.source), "sub/roots": old}
    assert theirs.told == [("restore", "failed")]


def test_a_file_of_another_in_an_open_folder_is_replaced(theirs: World) -> None:
    place(theirs, 0)
    ran = restore_as_somebody(theirs, "--overwrite")
    assert (ran.status, ran.answer["code"], ran.answer["proven"]) == (0, "done", 2), ran
    assert "chmod" not in ran.answer["message"]
    assert restored(theirs) == truth(theirs.source)
