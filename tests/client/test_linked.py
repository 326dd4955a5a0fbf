"""Files that restic wrongly made one, beside others that it could not replace: each gets its second chance."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from unittest import mock

import pytest
from strongroom_agent.proof import recovery, restoring
from strongroom_agent.proof.recovery import WRONGLY_LINKED, Recovery
from strongroom_agent.proof.restoring import Attempt
from strongroom_agent.proof.set_aside import Aside
from strongroom_agent.proof.targets import Target
from strongroom_agent.restic.snapshots import Contents, Listed, Snapshot
from strongroom_agent.state.session import Session

SNAPSHOT = Snapshot("0" * 64, "2026-11-26T00:00:00Z", ["/s"], "here")
FILES = [Listed("/s/a", 1, 1, 0, 7), Listed("/s/b", 2, 2, 0, 7), Listed("/s/old", 3, 3, 0, 8)]


def restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Callable[[Path, list[str]], dict[str, str]]
) -> Recovery:
    """A restore with `--overwrite` over `/s/old`, by an engine of the test: it gets patterns and says what failed."""
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "old").write_text("of before")

    def restore(_: object, __: object, include: list[str], ___: str, *, recent: bool) -> Attempt:
        return Attempt(engine(folder, include), {})

    monkeypatch.setattr(restoring, "restore", restore)
    monkeypatch.setattr(recovery, "attempt", lambda _, repository, work: work(mock.Mock(), repository))
    session = cast(Session, mock.Mock(**{"engine.recent": True}))
    done = Recovery(session, Contents(SNAPSHOT, FILES, []), [], Target.by_name(str(tmp_path)), True, FILES, [])
    repositories: list[Any] = [mock.Mock(region="Local A")]
    done.began_ns = os.stat(folder / "old").st_ctime_ns + 1
    done.run(repositories)
    return done


def write(folder: Path, name: str) -> None:
    """One file as the snapshot has it; nothing takes the place of what is there."""
    if not (folder / name).exists():
        (folder / name).write_text("x" * {"a": 1, "b": 2, "old": 3}[name])


def test_each_gets_its_second_chance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def engine(folder: Path, include: list[str]) -> dict[str, str]:
        if not include:
            write(folder, "a")
            os.link(folder / "a", folder / "b")
        for path in include:
            write(folder, Path(path).name)
        kept = (folder / "old").exists() and (folder / "old").stat().st_size != 3
        return {"/s/old": "open: permission denied"} if kept and include in ([], ["/s/old"]) else {}

    done = restored(tmp_path, monkeypatch, engine)
    assert done.failed == {}
    assert {path.name: path.stat().st_size for path in (tmp_path / "s").iterdir()} == {"a": 1, "b": 2, "old": 3}


def test_files_that_are_made_one_each_time_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def engine(folder: Path, include: list[str]) -> dict[str, str]:
        write(folder, "a")
        (folder / "b").unlink(missing_ok=True)
        os.link(folder / "a", folder / "b")
        (folder / "old").unlink(missing_ok=True)
        write(folder, "old")
        return {}

    done = restored(tmp_path, monkeypatch, engine)
    assert done.failed == {"/s/a": WRONGLY_LINKED, "/s/b": WRONGLY_LINKED}
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [
        "a.strongroom-unproven",
        "b.strongroom-unproven",
        "old",
    ]


def test_one_that_cannot_be_put_back_does_not_keep_the_others(tmp_path: Path) -> None:
    aside = Aside()
    for name in ("gone/a", "here/b"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(name)
        aside.put(str(tmp_path / name))
    shutil.rmtree(tmp_path / "gone")
    assert aside.settle(proven=False) == [f"{tmp_path}/gone/a.strongroom-replaced"]
    assert (tmp_path / "here" / "b").read_text() == "here/b"
