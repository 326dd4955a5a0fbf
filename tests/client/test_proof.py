"""A restore is done when its content is proven, whatever the engine, the region or the cache has done to it."""

import os
import subprocess
import threading
from pathlib import Path

import pytest

from .restores import engine, restore, restored
from .serving import Storage
from .stored import damage, objects, repository, truth
from .world import World

pytestmark = pytest.mark.system


SEEN_EACH_TIME = {("snapshots", "zeros"), ("index", "half"), ("data", "foreign")}
"""Damages of the cache that are tried in `make test` too."""


@pytest.mark.parametrize(
    ("how", "old"),
    [
        pytest.param("flipped", False),
        pytest.param("gone", True),
        *(pytest.param(how, False, marks=pytest.mark.long) for how in ("gone", "half", "zeros")),
        *(pytest.param(how, True, marks=pytest.mark.long) for how in ("flipped", "half", "zeros")),
    ],
)
def test_what_the_first_region_has_damaged_comes_from_the_pair(
    machine: World, storage: Storage, how: str, old: bool
) -> None:
    pack = objects(repository(storage, machine), "data")[0]
    damage(pack, how)
    ran = restore(machine, **engine(old))
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    told = list(machine.peer.runs.values())[-1].get("damaged", [])
    if not old:  # an older engine does not say which pack it was; and what is gone the portal sees for itself
        assert told == ([] if how == "gone" else [f"data/{pack.name}"])
    assert restored(machine) == truth(machine.source)
    assert ran.answer["regions"].get("Local B", 0) >= 1
    assert "Local B" in ran.answer["message"]
    assert sum(ran.answer["regions"].values()) == ran.answer["proven"] == 2
    assert machine.told == [("restore", "succeeded")]


@pytest.mark.parametrize(
    ("how", "old"),
    [
        pytest.param("flipped", False),
        pytest.param("gone", True),
        pytest.param("flipped", True, marks=pytest.mark.long),
        pytest.param("gone", False, marks=pytest.mark.long),
    ],
)
def test_what_no_region_has_fails_by_name_and_loses_its_name(
    machine: World, storage: Storage, how: str, old: bool
) -> None:
    for region in ("local-a", "local-b"):
        damage(objects(repository(storage, machine, region), "data")[0], how)
    ran = restore(machine, **engine(old))
    assert (ran.status, ran.answer["code"]) == (1, "restore_incomplete"), ran
    # The next backup mends what it can. An older engine does not say which pack it was.
    assert (machine.home / "damage.json").exists() == (not old)
    assert str(machine.source / "ledger.db") in ran.answer["missing_first"]
    assert "strongroom-agent repair" in ran.answer["remedy"]
    assert "ledger.db" not in restored(machine)
    assert all(machine.source.joinpath(name).read_bytes() == content for name, content in restored(machine).items())
    assert machine.told == [("restore", "failed")]


def test_a_named_region_is_read_alone(machine: World, storage: Storage) -> None:
    damage(objects(repository(storage, machine), "data")[0], "flipped")
    ran = restore(machine, "--region", "Local A")
    assert (ran.status, ran.answer["code"]) == (1, "restore_incomplete")
    ran = restore(machine, "--region", "Local B", name="other")
    assert (ran.status, ran.answer["regions"]) == (0, {"Local B": 2})


@pytest.mark.parametrize(
    "kind", ["index", "tree", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("keys", "snapshots"))]
)
def test_each_part_comes_from_where_it_is_whole(machine: World, storage: Storage, kind: str) -> None:
    damage(objects(repository(storage, machine), kind)[0], "flipped")
    damage(objects(repository(storage, machine, "local-b"), "data")[0], "flipped")
    (machine.root / "cache" / "restic").rename(machine.root / "no cache")
    ran = restore(machine)
    if kind == "tree" or ran.status == 0:
        assert (ran.status, restored(machine)) == (0, truth(machine.source)), ran
    else:
        assert ran.answer["code"] == "restore_incomplete", ran
        assert "ledger.db" not in restored(machine)


@pytest.mark.parametrize("how", ["flipped", "gone"])
def test_a_damaged_key_is_no_wrong_passphrase(machine: World, storage: Storage, how: str) -> None:
    for region in ("local-a", "local-b"):
        damage(objects(repository(storage, machine, region), "keys")[0], how)
    for command in ("check", "backup", "snapshots"):
        ran = machine.run(command)
        assert (ran.status, ran.answer["code"]) == (1, "repository_damaged"), ran


def test_a_snapshot_that_no_region_can_read_is_told(machine: World, storage: Storage) -> None:
    first = machine.run("snapshots").answer["snapshots"][0]["id"]
    assert machine.run("backup").status == 0
    newest = machine.run("snapshots").answer["snapshots"][1]["id"]
    damage(repository(storage, machine) / "snapshots" / newest, "zeros")
    (machine.root / "cache" / "restic").rename(machine.root / "no cache")
    ran = machine.run("snapshots")
    assert (ran.status, ran.answer["code"]) == (1, "repository_damaged")
    assert ran.answer["unreadable_snapshots"] == [newest]
    assert [each["id"] for each in ran.answer["snapshots"]] == [first]
    ran = restore(machine)
    assert (ran.status, ran.answer["code"]) == (1, "repository_damaged")
    assert f"--snapshot {first[:8]}" in ran.answer["remedy"]
    assert restore(machine, "--snapshot", first[:8]).status == 0


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        pytest.param(kind, how, marks=() if (kind, how) in SEEN_EACH_TIME else pytest.mark.long)
        for kind in ("snapshots", "index", "data")
        for how in ("zeros", "half", "foreign")
    ],
)
def test_a_damaged_cache_changes_no_answer(machine: World, kind: str, how: str) -> None:
    cached = [path for path in (machine.root / "cache" / "restic").glob(f"*/{kind}/*/*") if path.is_file()]
    assert cached
    for path in cached:
        damage(path, how)
    assert len(machine.run("snapshots").answer["snapshots"]) == 1
    for path in cached:
        if path.exists():
            damage(path, how)
    assert restore(machine).status == 0
    assert restored(machine) == truth(machine.source)
    assert machine.run("backup").answer["code"] == "done"


def test_a_cache_that_is_a_file_is_made_anew(machine: World) -> None:
    folder = machine.root / "cache" / "restic"
    folder.rename(machine.root / "old cache")
    folder.write_text("not a folder")
    assert len(machine.run("snapshots").answer["snapshots"]) == 1
    assert folder.is_dir()


def test_a_restore_check_reads_the_storage_not_the_cache(machine: World, storage: Storage) -> None:
    damage(objects(repository(storage, machine), "tree")[0], "gone")
    ran = machine.run("check")
    assert (ran.status, ran.answer["code"]) == (1, "repository_damaged"), ran
    assert "strongroom-agent repair" in ran.answer["remedy"]
    assert (machine.home / "damage.json").exists()


def test_an_older_restic_that_names_nothing_promises_no_help_of_the_portal(machine: World, storage: Storage) -> None:
    """As it was found: the portal was never told which object was damaged, and so brought nothing back."""
    damage(objects(repository(storage, machine), "data")[0], "flipped")
    ran = machine.run("check", **engine(True))
    assert (ran.status, ran.answer["code"]) == (1, "repository_damaged"), ran
    assert ran.answer["damaged_objects"] == []
    assert " does not say which objects are damaged. Download restic 0.18 or newer" in ran.answer["remedy"]
    assert "Then run strongroom-agent check" in ran.answer["remedy"]
    ran = machine.run("check")
    assert "The portal brings back what the other region has" in ran.answer["remedy"]


def test_a_file_that_is_always_busy_is_proven_all_the_same(machine: World) -> None:
    for path in ("ledger.db", "sub/small"):
        (machine.source / path).unlink()
    busy, stop = machine.source / "busy.db", threading.Event()
    busy.write_bytes(os.urandom(100_000))

    def write() -> None:
        while not stop.wait(0.01):
            with busy.open("ab") as file:
                file.write(b"x")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        machine.run("backup", "--accept-losses")
        ran = machine.run("check")
    finally:
        stop.set()
        writer.join()
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert [ran.answer[name] for name in ("proven", "compared", "changed", "mismatched")] == [1, 0, 1, 0]
    assert "1 of 1 file restored and proven against the snapshot" in ran.answer["message"]


def test_names_that_a_listing_cannot_tell_apart_are_counted_and_told_apart(machine: World) -> None:
    one, two = (Path(os.fsdecode(os.fsencode(machine.source) + name)) for name in (b"/bad\xff\xfe", b"/bad\xfd\xfe"))
    one.write_bytes(b"c")
    two.write_bytes(b"c2")
    assert machine.run("backup").status == 0
    ran = restore(machine)
    assert (ran.status, ran.answer["files"]) == (0, 4), ran
    assert restored(machine) == truth(machine.source)
    ran = restore(machine, "--include", str(one), name="part")
    assert (ran.status, ran.answer["files"], ran.answer["bytes"]) == (0, 1, 1), ran
    assert list(restored(machine, "part").values()) == [b"c"]


def test_a_sparse_file_comes_back_sparse_where_its_length_does_not_fit(machine: World) -> None:
    with (machine.source / "image").open("wb") as file:
        file.truncate(2 * 1024**3)
        file.seek(100_000_000)
        file.write(os.urandom(300_000))
    assert machine.run("backup").status == 0
    small = machine.root / "small"
    small.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(small)], check=True)
    try:
        ran = restore(machine, name="small/out")
        assert (ran.status, ran.answer["files"]) == (0, 3), ran
        restored_image = Path(f"{small}/out{machine.source}/image")
        assert restored_image.stat().st_size == 2 * 1024**3
        assert restored_image.stat().st_blocks * 512 < 20_000_000
        ran = restore(machine, name="small/old", **engine(True))
        assert (ran.status, ran.answer["code"]) == (1, "no_room"), ran
        assert ran.answer["needed_bytes"] > ran.answer["free_bytes"]
    finally:
        subprocess.run(["/bin/umount", str(small)], check=True)


def test_no_room_is_found_before_anything_is_written(machine: World) -> None:
    small = machine.root / "small"
    small.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=True)
    try:
        ran = restore(machine, name="small/out")
        assert (ran.status, ran.answer["code"]) == (1, "no_room"), ran
        assert ran.answer["needed_bytes"] > ran.answer["free_bytes"]
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["/bin/umount", str(small)], check=True)
