"""Private files: whole or not at all, for their owner alone, and nothing left beside them."""

import os
from pathlib import Path

import pytest

from portal.core import files
from tests.at_once import at_once


def left(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Also where it stood open before."""
    place = tmp_path / "key"
    place.write_text("old")
    place.chmod(0o644)
    files.replace(place, "new")
    assert (place.read_text(), place.stat().st_mode & 0o777, left(tmp_path)) == ("new", 0o600, ["key"])


def test_what_cannot_be_finished_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, say: the old content stays, and no draft of the new one."""
    place = tmp_path / "key"
    files.replace(place, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("portal.core.files.os.fsync", full)
    for write in (lambda: files.replace(place, "new"), lambda: files.create(tmp_path / "other", "new")):
        with pytest.raises(OSError, match="No space left"):
            write()
    assert (place.read_text(), left(tmp_path)) == ("old", ["key"])


def test_only_the_first_one_creates(tmp_path: Path) -> None:
    place = tmp_path / "secret"
    made = at_once([lambda number=number: files.create(place, str(number)) for number in range(8)])  # type: ignore[misc]
    assert made.count(True) == 1
    assert place.read_text() == str(made.index(True))
    assert left(tmp_path) == ["secret"]
    assert not files.create(place, "another")
