"""What a backup says of things that are to be protected and are not there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .world import World

pytestmark = pytest.mark.system


@pytest.fixture
def disk(ready: World) -> Iterator[Path]:
    """A second thing to protect, on a disk that can be taken away; setup is repeated without it in the end."""
    folder = ready.root / "disk"
    folder.mkdir()
    (folder / "table.db").write_bytes(b"rows")
    assert ready.setup("--protect", str(folder)).status == 0
    ready.peer.runs.clear()
    yield folder
    assert ready.setup().status == 0


def test_a_disk_that_is_not_there_is_told(ready: World, disk: Path) -> None:
    disk.rename(ready.root / "unmounted")
    ran = ready.run("backup")
    (ready.root / "unmounted").rename(disk)
    assert (ran.status, ran.answer["code"], ran.answer["files"], ran.answer["lost"]) == (0, "done_with_losses", 12, 1)
    assert ran.answer["losses"] == [{"path": str(disk), "had": 1, "has": 0}]
    remark = f"1 protected place has less than before: {disk} is not there; it had 1 file."
    remedy = (
        "Mount the disk or bring the files back; if they are gone for good, run strongroom-agent backup "
        "--accept-losses, or setup again without that --protect."
    )
    assert ran.answer["message"].endswith(f" {remark} {remedy}")
    assert ran.answer["remedy"] == remedy
    (told,) = ready.peer.runs.values()
    assert (told["outcome"], told["code"], told["lost"]) == ("succeeded", "done_with_losses", 1)
    assert told["message"] == remark
    assert ready.run("backup").answer["code"] == "done"


def test_a_restore_of_the_newest_says_that_it_has_losses(ready: World) -> None:
    first = ready.run("snapshots").answer["snapshots"][0]["id"]
    held = {path: path.read_bytes() for path in sorted(ready.source.rglob("*")) if path.is_file()}
    for path in list(held)[1:]:
        path.unlink()
    assert ready.run("backup").answer["code"] == "done_with_losses"
    newest = ready.run("restore", "--target", str(ready.root / "newest"))
    named = ready.run("restore", "--target", str(ready.root / "named"), "--snapshot", first)
    for path, content in held.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert ready.run("backup").answer["code"] == "done"
    said = "The last backup found that protected places had lost files"
    assert (newest.status, said in newest.answer["message"]) == (0, True), newest
    assert (named.status, said in named.answer["message"]) == (0, False), named


def test_nothing_of_it_there_is_a_failure(ready: World) -> None:
    before = ready.run("snapshots").answer["snapshots"]
    ready.source.rename(ready.root / "unmounted")
    ran = ready.run("backup")
    (ready.root / "unmounted").rename(ready.source)
    assert (ran.status, ran.answer["code"]) == (1, "protect_missing")
    assert str(ready.source) in ran.answer["message"]
    assert [run["outcome"] for run in ready.peer.runs.values()] == ["failed"]
    assert ready.run("snapshots").answer["snapshots"] == before


def test_an_empty_mount_point_is_no_backup(ready: World) -> None:
    """Nor is there a snapshot of nothing, which would be the newest: a restore after the night had nothing to give."""
    before = ready.run("snapshots").answer["snapshots"]
    ready.source.rename(ready.root / "unmounted")
    ready.source.mkdir()
    ran = ready.run("backup")
    ready.source.rmdir()
    (ready.root / "unmounted").rename(ready.source)
    assert (ran.status, ran.answer["code"]) == (1, "nothing_to_protect")
    assert [run["outcome"] for run in ready.peer.runs.values()] == ["failed"]
    assert ready.run("snapshots").answer["snapshots"] == before
    assert ready.run("backup").status == 0
