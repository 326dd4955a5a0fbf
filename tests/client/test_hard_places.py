"""Restores to places that are full, foreign, too deep, or in use for something else: what is said is what is true."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .stored import truth
from .test_proof import restore, restored
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
def large(cheap: World) -> World:
    """A machine with a file that is larger than anybody can know, and two that fit."""
    (cheap.source / "sub").mkdir()
    (cheap.source / "sub" / "large").write_bytes(wordy(20_000_000))
    (cheap.source / "fits").write_bytes(os.urandom(2_000_000))
    (cheap.source / "small").write_bytes(b"small")
    assert cheap.run("backup").status == 0
    cheap.peer.runs.clear()
    return cheap


def test_a_disk_that_fills_meanwhile_is_named_with_what_is_lacking(large: World) -> None:
    with small_disk(large.root / "out", "16m"):
        place = Path(f"{large.root}/out{large.source}")
        (place / "sub").mkdir(parents=True)
        (place / "sub" / "large").write_bytes(b"old")
        ran = restore(large, "--overwrite")
        assert (ran.status, ran.answer["code"]) == (1, "no_room"), ran
        assert f"full at {large.root}/out: 1 file, 19.1 MiB, could not be restored there; " in ran.answer["message"]
        assert [ran.answer[name] for name in ("needed_bytes", "proven", "not_proven")] == [20_000_000, 2, 1]
        assert ran.answer["free_bytes"] < 1_000_000
        assert restored(large) == {name: (large.source / name).read_bytes() for name in ("fits", "small")}
        assert ran.answer["renamed_first"] == [f"{place}/sub/large.strongroom-unproven"]
    assert large.told == [("restore", "failed")]


def test_a_disk_below_the_target_is_named_when_it_is_the_one_that_fills(large: World) -> None:
    inner = Path(f"{large.root}/out{large.source}/sub")
    with small_disk(inner, "16m"):
        ran = restore(large, "--overwrite")
        assert (ran.status, ran.answer["code"]) == (1, "no_room"), ran
        assert f"became full at {inner}: 1 file, 19.1 MiB, could not be restored there; " in ran.answer["message"]
        assert (ran.answer["needed_bytes"], ran.answer["free_bytes"] < 1_000_000) == (20_000_000, True)


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
            (cache / "filled").write_bytes(bytes(1_000_000))
            ran = restore(large, "--overwrite")
            assert (ran.status, ran.answer["code"]) == (1, "disk_full"), ran
            assert f"{cache}/" in ran.answer["message"]
    finally:
        cache.rmdir()
        (large.root / "whole cache").rename(cache)
