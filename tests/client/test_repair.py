"""Damaged repositories: what is still on the machine is stored again, and what is lost for good is named."""

import os
import re
import shutil
from pathlib import Path

import pytest
from strongroom_agent.core.sizes import readable
from strongroom_agent.restic import engine
from strongroom_agent.restic.engine import Engine

from .restores import OLD
from .serving import Storage
from .stored import copy_to_pair, damage, repository
from .world import World

pytestmark = pytest.mark.system


@pytest.fixture
def big(world: World) -> World:
    """A machine with a file large enough for a pack of its own, backed up once."""
    (world.source / "ledger.db").write_bytes(os.urandom(20_000_000))
    assert world.setup().status == 0
    world.peer.runs.clear()
    return world


def folder(world: World, storage: Storage) -> Path:
    return storage.folder / "local-a" / world.peer.vault["id"] / next(iter(world.peer.machines))


def largest_pack(world: World, storage: Storage) -> Path:
    return max((folder(world, storage) / "data").glob("*/*"), key=lambda path: path.stat().st_size)


def pack_in_pair(world: World, storage: Storage, pack: Path) -> Path:
    return repository(storage, world, "local-b") / pack.relative_to(folder(world, storage))


def spoil(pack: Path) -> None:
    """Some bytes in the middle become others."""
    pack.chmod(0o600)
    with pack.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"X" * 64)


def restored(world: World, out: Path, *more: str) -> bytes:
    """The ledger as a restore brings it back."""
    ran = world.run("restore", "--target", str(out), *more)
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    return Path(f"{out}{world.source}/ledger.db").read_bytes()


def test_a_pack_that_is_gone_everywhere_is_stored_again_by_the_next_backup(
    big: World, storage: Storage, tmp_path: Path
) -> None:
    """The documented path: the portal knows, the next backup heals, a check proves it."""
    largest_pack(big, storage).unlink()
    assert big.run("check").answer["ok"] is False
    big.peer.faults.damaged = True
    ran = big.run("backup")
    assert (ran.status, ran.answer["code"]) == (0, "done_on_damaged"), ran
    assert "has been stored again; the structure is sound again." in ran.answer["message"]
    assert ran.answer["bytes_added"] > 10_000_000
    again = big.run("backup").answer
    assert (again["code"], again["bytes_added"] < 100_000) == ("done_on_damaged", True)
    assert big.run("check").status == 0
    assert restored(big, tmp_path / "out") == (big.source / "ledger.db").read_bytes()
    told = [run["code"] for run in big.peer.runs.values() if run["kind"] == "backup"]
    assert told == ["done_on_damaged", "done_on_damaged"]


@pytest.mark.long
def test_repair_heals_all_snapshots_where_the_file_is_still_there(big: World, storage: Storage, tmp_path: Path) -> None:
    first = big.run("snapshots").answer["snapshots"][0]["id"]
    largest_pack(big, storage).unlink()
    ran = big.run("repair")
    assert (ran.status, ran.answer["code"], ran.answer["newest_whole"]) == (0, "done", True), ran
    assert ran.answer["errors_found"] >= 1
    assert restored(big, tmp_path / "out", "--snapshot", first) == (big.source / "ledger.db").read_bytes()
    assert [(run["kind"], run["outcome"]) for run in big.peer.runs.values()] == [
        ("backup", "succeeded"),
        ("check", "succeeded"),
        ("restore_check", "succeeded"),
        ("repair", "succeeded"),
        ("restore", "succeeded"),
    ]


def test_what_is_lost_for_good_is_named_and_the_newest_snapshot_is_whole(
    big: World, storage: Storage, tmp_path: Path
) -> None:
    first = big.run("snapshots").answer["snapshots"][0]["id"]
    largest_pack(big, storage).unlink()
    (big.source / "ledger.db").write_bytes(os.urandom(3_000_000))
    ran = big.run("repair")
    assert (ran.status, ran.answer["code"], ran.answer["newest_whole"]) == (1, "repair_incomplete", True), ran
    assert ran.answer["lost_from"] == {first[:8]: [f"{big.source}/ledger.db"]}
    assert "1 snapshot cannot be restored in full" in ran.answer["message"]
    assert f"is {first[:8]}, which lacks {big.source}/ledger.db. The newest snapshot is whole" in ran.answer["message"]
    after = big.run("backup").answer
    checked = big.run("check")
    assert (after["code"], checked.status, checked.answer["code"]) == ("done_on_damaged", 1, "repository_damaged")
    machine = next(iter(big.peer.machines))
    for remedy in (after["remedy"], checked.answer["remedy"]):
        advice = "An administrator can move snapshots that nobody needs to the trash"
        command = f".venv/bin/python manage.py snapshots trash {machine} {first[:8]} --reason TEXT"
        assert f"{advice}: {command}, in the folder of the portal's sources" in remedy
        assert "--include" in remedy
        assert "strongroom-agent repair" not in remedy
    whole = big.run("restore", "--target", str(tmp_path / "first"), "--snapshot", first[:8])
    assert (whole.status, whole.answer["code"]) == (1, "restore_incomplete"), whole
    assert whole.answer["remedy"] == checked.answer["remedy"]
    assert restored(big, tmp_path / "out") == (big.source / "ledger.db").read_bytes()
    repaired = [run for run in big.peer.runs.values() if run["kind"] == "repair"]
    assert [(run["outcome"], run["code"]) for run in repaired] == [("failed", "repair_incomplete")]
    (folder(big, storage) / "snapshots" / first).unlink()
    assert big.run("check").answer["code"] == "done"
    assert big.run("backup").answer["code"] == "done_with_losses"  # most of the ledger's bytes, and no damage


@pytest.mark.long
def test_each_snapshot_that_is_not_whole_is_named(big: World, storage: Storage, tmp_path: Path) -> None:
    """restic names what several lack with one of them only; the others looked whole, and repair was advised again."""
    assert big.run("backup").status == 0
    (big.source / "another").write_text("one more")
    assert big.run("backup").status == 0
    broken = [each["id"][:8] for each in big.run("snapshots").answer["snapshots"]]
    largest_pack(big, storage).unlink()
    (big.source / "ledger.db").write_bytes(os.urandom(3_000_000))
    ran = big.run("repair")
    assert (ran.answer["code"], ran.answer["newest_whole"]) == ("repair_incomplete", True), ran
    assert sorted(ran.answer["lost_from"]) == sorted(broken)
    assert "3 snapshots cannot be restored in full" in ran.answer["message"]
    command = re.search(r"snapshots trash (\S+) ([0-9a-f ]+) --reason", ran.answer["remedy"])
    assert command
    assert sorted(command[2].split()) == sorted(broken)
    for each in broken:
        again = big.run("restore", "--target", str(tmp_path / each), "--snapshot", each)
        assert again.answer["code"] == "restore_incomplete"
        assert "snapshots trash" in again.answer["remedy"]
        assert "strongroom-agent repair" not in again.answer["remedy"]
    for each in (folder(big, storage) / "snapshots").iterdir():
        if each.name[:8] in broken:
            each.unlink()
    assert big.run("check").answer["code"] == "done"


@pytest.mark.long
def test_a_pack_that_a_check_finds_damaged_is_replaced_by_the_next_backup(
    big: World, storage: Storage, tmp_path: Path
) -> None:
    """Only the check reads packs; the backup learns from it which, and what it cannot save it stores again."""
    pack = largest_pack(big, storage)
    spoil(pack)
    ran = big.run("check")
    assert (ran.status, ran.answer["code"]) == (1, "repository_damaged"), ran
    assert f"data/{pack.name} is damaged" in ran.answer["damaged_objects"]
    assert list(big.peer.runs.values())[-1]["damaged"] == [f"data/{pack.name}"]
    ran = big.run("backup")
    assert (ran.status, ran.answer["code"]) == (0, "done_on_damaged"), ran
    assert "has been stored again; the structure is sound again." in ran.answer["message"]
    again = big.run("backup").answer
    assert (again["code"], again["bytes_added"] < 100_000) == ("done_on_damaged", True)
    assert big.run("check").answer["code"] == "done"
    assert big.run("backup").answer["code"] == "done"
    assert restored(big, tmp_path / "out") == (big.source / "ledger.db").read_bytes()


@pytest.mark.long
def test_a_damaged_pack_that_cannot_be_deleted_is_replaced(big: World, storage: Storage, tmp_path: Path) -> None:
    """A disk has flipped bytes in the middle, and the portal has not noticed yet: packs are not for us to delete."""
    pack = largest_pack(big, storage)
    spoil(pack)
    damaged = pack.read_bytes()
    ran = big.run("repair")
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert pack.read_bytes() == damaged
    assert restored(big, tmp_path / "out") == (big.source / "ledger.db").read_bytes()
    assert list((big.root / "cache" / "tmp").iterdir()) == []


@pytest.mark.parametrize("command", ["repair", pytest.param("backup", marks=pytest.mark.long)])
def test_what_only_the_pair_has_whole_is_not_given_up(
    big: World, storage: Storage, tmp_path: Path, command: str
) -> None:
    """As it was found: the pack went out of the index, and what it had for older snapshots was "nowhere any more"."""
    first = big.run("snapshots").answer["snapshots"][0]["id"]
    before, pack = (big.source / "ledger.db").read_bytes(), largest_pack(big, storage)
    (big.source / "ledger.db").write_bytes(os.urandom(3_000_000))
    assert big.run("backup", "--accept-losses").status == 0
    copy_to_pair(storage, big)
    damage(pack, "zeros")
    assert big.run("check").answer["code"] == "repository_damaged"
    ran = big.run(command)
    assert ran.answer["code"] == {"repair": "repository_damaged", "backup": "done_on_damaged"}[command], ran
    assert "Older snapshots need" in ran.answer["message"]
    assert "whole in region Local B: restores read them there" in ran.answer["message"]
    assert "newest_whole" not in ran.answer  # nothing has proven it
    told = [run for run in big.peer.runs.values() if run["kind"] == command][-1]
    assert told["damaged"] == [f"data/{pack.name}"]
    assert restored(big, tmp_path / "first", "--snapshot", first) == before
    assert restored(big, tmp_path / "newest") == (big.source / "ledger.db").read_bytes()
    shutil.copyfile(pack_in_pair(big, storage, pack), pack)  # as the portal does
    assert big.run("check").answer["code"] == "done"
    assert big.run("backup").answer["code"] == "done"
    assert "damaged" not in list(big.peer.runs.values())[-1]  # it is over
    assert restored(big, tmp_path / "again", "--snapshot", first) == before


@pytest.mark.long
@pytest.mark.parametrize("kind", ["index", "snapshots"])
def test_other_kinds_that_are_gone(big: World, storage: Storage, tmp_path: Path, kind: str) -> None:
    for path in (folder(big, storage) / kind).iterdir():
        path.unlink()
    shutil.rmtree(big.root / "cache" / "restic")
    ran = big.run("repair")
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert restored(big, tmp_path / "out") == (big.source / "ledger.db").read_bytes()


def test_nothing_damaged_is_told(ready: World) -> None:
    ran = ready.run("repair")
    assert (ran.status, ran.answer["errors_found"]) == (0, 0)
    assert ran.answer["message"].startswith("Nothing that is in use was damaged: all of it was read")
    assert list(ready.peer.runs.values())[-1]["found"] == 0  # so that the portal speaks of no damage either


def test_an_engine_that_cannot_repair_says_which_can(ready: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = engine.find()
    monkeypatch.setattr(engine, "find", lambda: Engine(found.program, "0.14.0"))
    ran = ready.run("repair")
    assert (ran.status, ran.answer["code"]) == (1, "engine_too_old")
    assert "needs restic 0.18" in ran.answer["message"]
    ready.peer.faults.damaged = True
    ran = ready.run("backup")
    assert ran.answer["code"] == "done_on_damaged"
    assert "It could not be repaired now: repairing needs restic 0.18 or newer." in ran.answer["message"]
    (ready.home / "damage.json").unlink()


def test_a_portal_that_takes_no_deletions_of_indexes_still_gets_its_backup(big: World, storage: Storage) -> None:
    """An older portal: nothing can be repaired, and what is new is stored all the same."""
    big.peer.regions = None
    largest_pack(big, storage).unlink()
    (big.source / "new").write_text("new")
    big.peer.faults.damaged = True
    ran = big.run("backup")
    assert (ran.status, ran.answer["code"], ran.answer["files"]) == (0, "done_on_damaged", 14), ran
    assert "It could not be repaired now" in ran.answer["message"]


@pytest.mark.parametrize("healer", [pytest.param("repair", marks=pytest.mark.long), "backup"])
def test_what_was_damaged_before_stays_out_of_use(big: World, storage: Storage, tmp_path: Path, healer: str) -> None:
    """This machine can delete no pack: each rebuilding of the index finds those damaged earlier, and takes them in."""
    spoiled = set[Path]()
    for number in (1, 2, 3):
        packs = set((folder(big, storage) / "data").glob("*/*")) - spoiled
        newest = max(packs, key=lambda path: (path.stat().st_size > 2_000_000, path.stat().st_mtime_ns))
        if number == 2:  # so that a backup rebuilds the index too
            newest.unlink()
        else:
            spoil(newest)
            spoiled.add(newest)
        ran = big.run("check")
        assert (ran.status, ran.answer["code"]) == (1, "repository_damaged"), ran
        ran = big.run(healer)
        assert (ran.status, ran.answer["code"]) == (0, "done" if healer == "repair" else "done_on_damaged"), ran
        assert restored(big, tmp_path / f"out {number}") == (big.source / "ledger.db").read_bytes()
        ran = big.run("check")
        assert (ran.status, ran.answer["code"]) == (0, "done"), ran
        assert ran.answer["unused_packs"] == len(spoiled)
    size = readable(sum(path.stat().st_size for path in spoiled))
    assert ran.answer["message"].endswith(f"was read and is whole. Not in use, and not judged: 2 more packs, {size}.")


def test_an_older_restic_says_what_it_did_not_judge(big: World, storage: Storage) -> None:
    stray = folder(big, storage) / "data" / "00" / ("00" * 32)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(os.urandom(1000))
    ran = big.run("check", RESTIC=OLD)
    assert (ran.status, ran.answer["unused_packs"]) == (0, 1), ran
    assert ran.answer["message"].endswith("was read and is whole. Not in use, and not judged: 1 more pack, 1000 B.")


@pytest.mark.parametrize("command", ["backup", "check", "repair"])
def test_a_lost_config_is_told_as_what_it_is(big: World, storage: Storage, command: str) -> None:
    (folder(big, storage) / "config").unlink()
    ran = big.run(command)
    assert (ran.status, ran.answer["code"]) == (1, "repository_damaged"), ran
    assert "In region Local A: config is missing" in ran.answer["message"]
    assert "no backups" not in ran.answer["message"]
    assert "strongroom-agent repair" not in ran.answer["remedy"]
