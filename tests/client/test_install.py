"""The program's folder: restic stays beside it."""

from pathlib import Path

import pytest
from strongroom_agent.core import ownership
from strongroom_agent.restic import engine
from strongroom_agent.setup import install


@pytest.fixture
def downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The single-file agent that runs, in a folder with a restic."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "strongroom-agent").write_text("the agent")
    (folder / "restic").write_text("#!/bin/sh\necho restic 0.18.0\n")
    (folder / "restic").chmod(0o755)
    monkeypatch.setenv("PEX", str(folder / "strongroom-agent"))
    monkeypatch.delenv("RESTIC", raising=False)
    monkeypatch.setattr(ownership, "problem", lambda folder, groups=False: "")
    return folder


def test_a_restic_beside_the_agent_is_taken_along(
    downloaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was found: the installed agent had none, or an old one of the system."""
    program = install.install(tmp_path / "program")
    assert program.read_text() == "the agent"
    monkeypatch.setenv("PEX", str(program))
    assert engine.find().program == str(program.parent / "restic")
    assert (program.parent / "restic").read_bytes() == (downloaded / "restic").read_bytes()


def test_installing_where_it_is_changes_nothing(downloaded: Path) -> None:
    before = (downloaded / "restic").stat().st_ino
    install.install(downloaded)
    assert (downloaded / "restic").stat().st_ino == before


def test_without_one_nothing_is_taken_along(downloaded: Path, tmp_path: Path) -> None:
    (downloaded / "restic").unlink()
    install.install(tmp_path / "program")
    assert sorted(path.name for path in (tmp_path / "program").iterdir()) == ["strongroom-agent"]
