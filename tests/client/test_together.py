"""Two regions, each damaged at another place: together they have everything, and that is what comes back."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .restores import restore, restored
from .serving import Storage
from .stored import copy_to_pair, damage, repository, truth
from .world import World

pytestmark = pytest.mark.system
PARTS = ("one", "two", "three", "zoo")


@pytest.fixture
def packs(blank: World, storage: Storage) -> Iterator[dict[str, tuple[Path, Path]]]:
    """For each folder of the newest snapshot, the packs with its list of files and with their content."""
    found = {}
    for name in PARTS:
        before = set((repository(storage, blank) / "data").glob("*/*"))
        (blank.source / name).mkdir()
        (blank.source / name / "file").write_bytes(os.urandom(100_000))
        assert blank.run("backup").status == 0
        new = set((repository(storage, blank) / "data").glob("*/*")) - before
        lists, content = sorted(new, key=lambda path: path.stat().st_size)
        found[name] = lists, content
    copy_to_pair(storage, blank)
    blank.peer.runs.clear()
    shutil.rmtree(blank.root / "cache" / "restic")
    shutil.copytree(repository(storage, blank), blank.root / "saved")
    yield found
    shutil.rmtree(repository(storage, blank))
    (blank.root / "saved").rename(repository(storage, blank))
    (blank.home / "damage.json").unlink(missing_ok=True)


def spoil(storage: Storage, world: World, region: str, pack: Path, how: str) -> None:
    damage(repository(storage, world, region) / "data" / pack.parent.name / pack.name, how)


@pytest.mark.parametrize("how", ["gone", "zeros"])
def test_lists_of_files_are_put_together(
    blank: World, storage: Storage, packs: dict[str, tuple[Path, Path]], how: str
) -> None:
    for region, names in (("local-a", ("one", "three")), ("local-b", ("two",))):
        for name in names:
            spoil(storage, blank, region, packs[name][0], how)
    ran = restore(blank)
    assert (ran.status, ran.answer["code"], ran.answer.get("proven")) == (0, "done", 4), ran
    assert restored(blank) == truth(blank.source)
    assert "was put together from what each region still has" in ran.answer["message"]
    assert sum(ran.answer["regions"].values()) == 4
    assert blank.told == [("restore", "succeeded")]


def test_lists_and_content_are_put_together(
    blank: World, storage: Storage, packs: dict[str, tuple[Path, Path]]
) -> None:
    spoil(storage, blank, "local-a", packs["one"][0], "gone")
    spoil(storage, blank, "local-a", packs["two"][1], "flipped")
    spoil(storage, blank, "local-b", packs["three"][0], "gone")
    spoil(storage, blank, "local-b", packs["one"][1], "gone")
    ran = restore(blank)
    assert (ran.status, ran.answer["code"], ran.answer.get("proven")) == (0, "done", 4), ran
    assert restored(blank) == truth(blank.source)
    assert set(ran.answer["regions"]) == {"Local A", "Local B"}
    assert ran.answer["regions"]["Local B"] >= 1
    assert "1 file from region Local B" in ran.answer["message"]


def test_what_neither_has_is_still_damage(blank: World, storage: Storage, packs: dict[str, tuple[Path, Path]]) -> None:
    for region, names in (("local-a", ("one", "two")), ("local-b", ("two", "three"))):
        for name in names:
            spoil(storage, blank, region, packs[name][0], "gone")
    ran = restore(blank)
    assert (ran.status, ran.answer["code"]) == (1, "repository_damaged"), ran
    assert restored(blank) == {}
    assert blank.told == [("restore", "failed")]
