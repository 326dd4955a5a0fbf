"""Restores to places that are full, foreign, too deep, or in use for something else: what is said is what is true."""

import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from strongroom_agent.core.sizes import counted, readable
from strongroom_agent.proof import restore_check, restoring, selection

from .restores import restore, restored
from .stored import truth
from .world import World

pytestmark = pytest.mark.system


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of that size at a folder, while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["/bin/umount", str(folder)], check=True)


def wordy(size: int) -> bytes:
    """Content that compresses well and has no holes: nobody can know beforehand how much of it there will be."""
    return b"".join(b"%020d" % number for number in range(size // 20))


@pytest.fixture
def large(blank: World) -> World:
    """A machine with a file that is larger than anybody can know, and two that fit."""
    (blank.source / "sub").mkdir()
    (blank.source / "sub" / "large").write_bytes(wordy(20_000_000))
    (blank.source / "fits").write_bytes(os.urandom(2_000_000))
    (blank.source / "small").write_bytes(b"small")
    assert blank.run("backup").status == 0
    blank.peer.runs.clear()
    return blank


def test_a_disk_that_fills_meanwhile_is_named_with_what_is_lacking(large: World) -> None:
    with small_disk(large.root / "out", "16m"):
        place = Path(f"{large.root}/out{large.source}")
        (place / "sub").mkdir(parents=True)
        (place / "sub" / "large").write_bytes(b"old")
        ran = restore(large, "--overwrite")
        assert (ran.status, ran.answer["code"]) == (1, "no_room"), ran
        whole = restored(large)  # restic may try the others before or after the disk is full
        assert whole.items() <= {name: (large.source / name).read_bytes() for name in ("fits", "small")}.items()
        sizes = {path.name: path.stat().st_size for path in large.source.rglob("*") if path.is_file()}
        needed = sum(size for name, size in sizes.items() if name not in whole)
        assert (
            f"full at {large.root}/out: {counted(3 - len(whole), 'file')}, {readable(needed)}, could not be"
            in (ran.answer["message"])
        )
        assert [ran.answer[name] for name in ("needed_bytes", "proven", "not_proven")] == [
            needed, len(whole), 3 - len(whole),
        ]  # fmt: skip
        assert f"{place}/sub/large.strongroom-unproven" in ran.answer["renamed_first"]
    assert large.told == [("restore", "failed")]


def test_a_disk_below_the_target_is_named_when_it_is_the_one_that_fills(large: World) -> None:
    inner = Path(f"{large.root}/out{large.source}/sub")
    with small_disk(inner, "16m"):
        ran = restore(large, "--overwrite")
        assert (ran.status, ran.answer["code"]) == (1, "no_room"), ran
        assert f"became full at {inner}: 1 file, 19.1 MiB, could not be restored there; " in ran.answer["message"]
        assert (ran.answer["needed_bytes"], ran.answer["free_bytes"] < 1_000_000) == (20_000_000, True)


@pytest.mark.long
def test_a_disk_without_inodes_is_told_apart_from_one_without_room(large: World) -> None:
    with small_disk(large.root / "out", "100m,nr_inodes=9"):
        ran = restore(large, "--overwrite")
        assert (ran.status, ran.answer["code"]) == (1, "no_room"), ran
        assert "it has no inodes left" in ran.answer["message"]
        assert restored(large).items() <= truth(large.source).items()


def test_a_full_cache_is_not_told_as_a_full_target(large: World) -> None:
    cache = large.root / "cache"
    cache.rename(large.root / "whole cache")
    try:
        with small_disk(cache, "1m"):
            (cache / "filled").write_bytes(bytes(253 * 4096))  # of 256 pages: room to open a cache, none to fill it
            ran = restore(large, "--overwrite")
            assert (ran.status, ran.answer["code"]) == (1, "disk_full"), ran
            assert f"{cache}/" in ran.answer["message"]
    finally:
        cache.rmdir()
        (large.root / "whole cache").rename(cache)


NAMES = (
    "[a]", "*", "**", "?", "a\\b", "\\", "\\*", "\\[a]", "new\nline", "-dash", "--include", "trail ",
    " lead", "!no", "[!x]", "[", "]", "[[]", "{a,b}", "~", "$HOME", "#c", "\t", "\u00e4", "a\u0308", "a", "b", "x",
    "aab", "line", "new", "trail",
)  # fmt: skip


@pytest.fixture
def odd(blank: World) -> World:
    """A machine with files whose names mean something to shells and in patterns, and those that they would match."""
    for name in NAMES:
        (blank.source / name).write_bytes(name.encode())
    for folder in ("d[1]*", "d1x"):
        (blank.source / folder).mkdir()
        (blank.source / folder / "file").write_bytes(folder.encode())
    assert blank.run("backup").status == 0
    return blank


@pytest.mark.long
def test_exactly_the_file_that_was_named_is_restored(odd: World) -> None:
    for name in (*NAMES, "d[1]*", "d[1]*/file"):
        ran = restore(odd, "--include", str(odd.source / name))
        expected = {"d[1]*/file": b"d[1]*"} if name.startswith("d[") else {name: name.encode()}
        assert (ran.status, restored(odd)) == (0, expected), (name, ran)
        shutil.rmtree(odd.root / "out")


@pytest.mark.long
def test_all_names_can_be_restored_in_groups(odd: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the scratch folder of a check takes only a part at a time."""
    monkeypatch.setattr(selection, "_PATTERNS", 3)
    monkeypatch.setattr(restore_check, "_room", lambda cache: 60)
    ran = odd.run("check")
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert ran.answer["compared"] == ran.answer["total"] == len(NAMES) + 2


def test_pipes_and_devices_are_restored_and_replaced_as_what_they_are(blank: World) -> None:
    os.mkfifo(blank.source / "pipe")
    os.mknod(blank.source / "null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    (blank.source / "file").write_bytes(b"file")
    (blank.source / "other").write_bytes(b"other")
    assert blank.run("backup").status == 0
    place = Path(f"{blank.root}/out{blank.source}")
    place.mkdir(parents=True)
    os.mkfifo(place / "file")
    os.mknod(place / "other", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    (place / "pipe").write_bytes(b"a file")
    os.mknod(place / "null", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    ran = restore(blank, "--overwrite")
    assert (ran.status, ran.answer["proven"]) == (0, 2), ran
    assert restored(blank) == {"file": b"file", "other": b"other"}
    assert stat.S_ISFIFO((place / "pipe").lstat().st_mode)
    assert (place / "null").lstat().st_rdev == os.makedev(1, 3)
    assert sorted(os.listdir(place)) == ["file", "null", "other", "pipe"]


def test_a_socket_in_the_way_is_replaced(blank: World) -> None:
    (blank.source / "file").write_bytes(b"file")
    assert blank.run("backup").status == 0
    place = Path(f"{blank.root}/out{blank.source}")
    place.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"{short}/socket")
        shutil.move(f"{short}/socket", place / "file")
        ran = restore(blank, "--overwrite")
    assert (ran.status, restored(blank), os.listdir(place)) == (0, {"file": b"file"}, ["file"]), ran


def test_a_target_inside_what_is_protected_is_told(blank: World) -> None:
    (blank.source / "file").write_bytes(b"file")
    assert blank.run("backup").status == 0
    ran = blank.run("restore", "--target", str(blank.source / "back"))
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert (
        f"The target lies in {blank.source}, which is protected: the next backup stores what was"
        in ran.answer["message"]
    )
    assert "is protected" not in restore(blank).answer["message"]


def deep(folder: Path, length: int) -> str:
    """A file `file` so far below a folder that its path has that many bytes; its path."""
    path, handle = str(folder), os.open(folder, os.O_RDONLY)
    while (left := length - len(path) - len("/file")) > 0:
        name = "d" * (left - 1 if left <= 200 else min(200, left - 3))
        os.mkdir(name, dir_fd=handle)
        inner = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        path, handle = f"{path}/{name}", inner
    with os.fdopen(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=handle), "wb") as file:
        file.write(b"deep")
    os.close(handle)
    return f"{path}/file"


def test_paths_that_become_too_long_below_the_target_fail_by_name(blank: World) -> None:
    path = deep(blank.source, 3900)
    (blank.source / "top").write_bytes(b"top")
    assert blank.run("backup").answer["code"] == "done"
    target = str(blank.root / "out" / ("t" * 200))
    ran = blank.run("restore", "--target", target)
    assert (ran.status, ran.answer["code"], ran.answer["proven"]) == (1, "restore_incomplete", 1), ran
    assert ran.answer["missing_first"][0] == path
    assert "file name too long" in ran.answer["message"]
    assert "folder with a shorter path" in ran.answer["remedy"]
    assert Path(f"{target}{blank.source}/top").read_bytes() == b"top"
    # Through its handle the folder took it all the same: it has lost its name like all that is not done.
    assert set(ran.answer["renamed_first"]) <= {f"{target}{path}.strongroom-unproven"}


def test_what_is_not_proven_is_renamed_also_where_its_path_is_as_long_as_it_may_be(
    blank: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = deep(blank.source, 4090 - len(f"{blank.root}/out"))
    (blank.source / "top").write_bytes(b"top")
    assert blank.run("backup").answer["code"] == "done"
    monkeypatch.setattr(restoring.Attempt, "about", lambda self, path: "ciphertext verification failed")
    ran = restore(blank)
    assert (ran.status, ran.answer["code"], ran.answer["proven"]) == (1, "restore_incomplete", 0), ran
    place = f"{blank.root}/out"
    assert set(ran.answer["renamed_first"]) == {
        f"{place}{name}.strongroom-unproven" for name in (path, blank.source / "top")
    }
    assert not os.path.lexists(place + path)
    assert os.listdir(os.path.dirname(place + path)) == ["file.strongroom-unproven"]
