"""Getting back parts, links and empty folders, and restoring to the place itself."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from unittest import mock

import pytest
from strongroom_agent.commands import restore
from strongroom_agent.core.errors import AgentError
from strongroom_agent.proof import arrived, free_room
from strongroom_agent.proof.recovery import Recovery
from strongroom_agent.proof.targets import Target
from strongroom_agent.restic.snapshots import Contents, Listed, Other, Snapshot
from strongroom_agent.state.session import Session

from .world import World


@pytest.mark.system
def test_parts_and_unknown_parts(ready: World, tmp_path: Path) -> None:
    ran = ready.run("restore", "--target", str(tmp_path / "out"), "--include", str(ready.source / "sub"))
    assert (ran.status, ran.answer["files"]) == (0, 6)
    ran = ready.run("restore", "--target", str(tmp_path / "none"), "--include", str(ready.source / "su"))
    assert (ran.status, ran.answer["code"]) == (2, "usage")
    for snapshot in ("0000000000", "../x", "nonsense"):
        ran = ready.run("restore", "--target", str(tmp_path / "none"), "--snapshot", snapshot)
        assert (ran.status, ran.answer["code"]) == (1, "snapshot_unknown")


@pytest.mark.system
def test_what_cannot_be_restored_leaves_no_folder_and_is_no_failed_restore(
    ready: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "new" / "folder"
    assert ready.run("restore", "--target", str(target), "--include", "/nowhere").answer["code"] == "usage"
    assert ready.run("restore", "--target", str(target), "--snapshot", "00000000").answer["code"] == "snapshot_unknown"
    (tmp_path / "there").mkdir()
    monkeypatch.setattr(free_room, "_free", lambda _: 10)
    for folder in (target, tmp_path / "there"):
        assert ready.run("restore", "--target", str(folder)).answer["code"] == "no_room"
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert ready.told == []
    assert ready.run("status").answer["last_runs"].get("restore", {}).get("outcome") != "failed"
    monkeypatch.undo()
    ran = ready.run("restore", "--target", str(target), "--include", str(ready.source / "file-1.bin"))
    assert "restoring 1 file of snapshot" in ran.progress
    assert ready.told == [("restore", "succeeded")]


@pytest.fixture
def links(ready: World) -> Iterator[World]:
    """A machine with a link and an empty folder in its newest snapshot."""
    (ready.source / "link").symlink_to("nowhere")
    assert ready.run("backup").status == 0
    yield ready
    (ready.source / "link").unlink()


@pytest.mark.system
@pytest.mark.parametrize("part", ["link", "sub/empty"])
def test_links_and_empty_folders_can_be_asked_for(links: World, tmp_path: Path, part: str) -> None:
    ran = links.run("restore", "--target", str(tmp_path / "out"), "--include", str(links.source / part))
    assert (ran.status, ran.answer["files"]) == (0, 0), ran
    assert ran.answer["message"].startswith("Restored 0 files, 0 B, and the links and empty folders asked for, to ")
    restored = Path(f"{tmp_path}/out{links.source}")
    assert [path.name for path in restored.iterdir()] == [part.split("/")[0]]
    assert os.path.lexists(restored / part)


@pytest.mark.system
def test_the_root_of_the_disk_can_be_the_target(ready: World) -> None:
    assert ready.run("backup").status == 0
    (ready.source / "file-7.bin").unlink()
    ran = ready.run("restore", "--target", "/")
    assert (ran.status, ran.answer["code"]) == (1, "target_not_empty")
    ran = ready.run("restore", "--target", "/", "--overwrite")
    assert (ran.status, ran.answer["files"], ran.answer["target"]) == (0, 12, "/")
    assert (ready.source / "file-7.bin").stat().st_size == 3507


def test_only_what_was_asked_for_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/b/one", "a/c/two", "d/three"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    seen = []
    scandir = os.scandir

    def noted(folder: str) -> object:
        seen.append(os.path.relpath(folder, tmp_path))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", noted)
    wanted = [Listed("/a/b/one", 7, 0, 0), Listed("/a/b/short", 1, 0, 0)]
    assert arrived.survey(str(tmp_path), ["/a/b"]).missing(wanted, [Other("/a/b/link", "symlink")]) == [
        "/a/b/short",
        "/a/b/link",
    ]
    assert seen == [".", "a", "a/b"]


def test_a_file_that_goes_while_it_is_looked_at_has_not_arrived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "gone"):
        (tmp_path / name).write_text("x")
    lstat = os.lstat

    def vanishing(path: str) -> os.stat_result:
        if path.endswith("gone"):
            raise FileNotFoundError
        return lstat(path)

    monkeypatch.setattr(os, "lstat", vanishing)
    wanted = [Listed("/here", 1, 0, 0), Listed("/gone", 1, 0, 0)]
    assert arrived.survey(str(tmp_path), ["/"]).missing(wanted, []) == ["/gone"]


@pytest.mark.parametrize(("full", "code"), [("{target}/s/a", "no_room"), ("/cache/restic/tmp-1", "disk_full")])
def test_a_full_disk_is_the_targets_only_where_the_target_is_named(tmp_path: Path, full: str, code: str) -> None:
    files = [Listed("/s/a", 1_000_000, 0, 0)]
    found = Contents(Snapshot("0" * 64, "2026-11-26T00:00:00Z", ["/s"], "here"), files, [])
    target = Target.by_name(str(tmp_path))
    recovery = Recovery(cast(Session, mock.Mock()), found, [], target, overwrite=False, files=files, others=[])
    recovery.failed = {"/s/a": "it is not there in full"}
    said = AgentError("disk_full", f"A disk is full: write {full.format(target=tmp_path)}: no space left on device.")
    error = restore._with_what_is_left(said, recovery)
    assert (error.code, error.details.get("needed_bytes")) == (code, 1_000_000 if code == "no_room" else None)
    assert (str(tmp_path) in error.problem) is (code == "no_room")
