"""Restoring over what is there: it replaces what differs, and touches nothing outside the target."""

import os
from pathlib import Path

import pytest

from .restores import engine, restore, restored
from .stored import truth
from .world import World

pytestmark = pytest.mark.system


@pytest.fixture
def place(machine: World) -> Path:
    """Where the machine's files are restored to, still without them."""
    folder = Path(f"{machine.root}/out{machine.source}")
    (folder / "sub").mkdir(parents=True)
    return folder


def test_a_folder_that_is_not_empty_is_refused(machine: World, place: Path) -> None:
    ran = restore(machine)
    assert (ran.status, ran.answer["code"]) == (1, "target_not_empty")
    assert "--overwrite" in ran.answer["remedy"]
    assert restored(machine) == {}
    assert machine.told == []
    ran = restore(machine, "--overwrite", **engine(True))
    assert (ran.status, ran.answer["code"], ran.answer["needed_version"]) == (1, "engine_too_old", "0.18")


@pytest.mark.long
def test_a_fresh_disk_counts_as_empty(machine: World) -> None:
    (machine.root / "out" / "lost+found").mkdir(parents=True)
    assert restore(machine).status == 0


def test_files_of_the_same_size_and_time_are_replaced(machine: World, place: Path) -> None:
    source, stale = machine.source / "ledger.db", place / "ledger.db"
    stale.write_bytes(bytes(2_000_000))
    os.utime(stale, ns=(source.stat().st_atime_ns, source.stat().st_mtime_ns))
    stale.chmod(0o444)
    assert restore(machine, "--overwrite").status == 0
    assert restored(machine) == truth(machine.source)


def test_nothing_outside_is_written_whatever_lies_in_the_target(machine: World, place: Path) -> None:
    outside = machine.root / "outside"
    outside.mkdir()
    (outside / "linked").write_bytes(b"other content")
    (outside / "same").write_bytes(b"small")
    os.utime(outside / "same", (0, 0))
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in outside.iterdir()}
    (place / "ledger.db").symlink_to(outside / "linked")
    os.link(outside / "same", place / "sub" / "small")
    ran = restore(machine, "--overwrite")
    assert ran.status == 0, ran
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in outside.iterdir()} == before
    assert restored(machine) == truth(machine.source)
    assert sorted(path.name for path in place.iterdir()) == ["ledger.db", "sub"]


def test_a_linked_folder_in_the_target_is_replaced_not_followed(machine: World, place: Path) -> None:
    outside = machine.root / "outside"
    outside.mkdir()
    (place / "sub").rmdir()
    (place / "sub").symlink_to(outside)
    assert restore(machine, "--overwrite").status == 0
    assert list(outside.iterdir()) == []
    assert restored(machine) == truth(machine.source)


@pytest.mark.long
def test_pipes_and_files_in_the_way_are_replaced(machine: World, place: Path) -> None:
    (place / "sub").rmdir()
    (place / "sub").write_text("a file")
    os.mkfifo(place / "ledger.db")
    assert restore(machine, "--overwrite").status == 0
    assert restored(machine) == truth(machine.source)


def test_a_folder_with_something_in_it_is_never_deleted(machine: World, place: Path) -> None:
    (place / "ledger.db").mkdir()
    (place / "ledger.db" / "keep").write_text("mine")
    ran = restore(machine, "--overwrite")
    assert (ran.status, ran.answer["code"]) == (1, "target_in_the_way")
    assert str(place / "ledger.db") in ran.answer["message"]
    assert restored(machine) == {"ledger.db/keep": b"mine"}


@pytest.mark.long
def test_the_target_may_be_a_link_itself(machine: World) -> None:
    (machine.root / "real").mkdir()
    (machine.root / "out").symlink_to(machine.root / "real")
    ran = restore(machine)
    assert (ran.status, ran.answer["target"]) == (0, str(machine.root / "real"))
    assert restored(machine) == truth(machine.source)


@pytest.mark.long
def test_files_in_use_are_replaced(machine: World, place: Path) -> None:
    with (place / "ledger.db").open("wb") as held:
        held.write(b"in use")
        held.flush()
        assert restore(machine, "--overwrite").status == 0
    assert restored(machine) == truth(machine.source)
