"""Programs are looked for in places that PATH names by themselves, never in the folder that a person stands in."""

import os
from pathlib import Path

import pytest
from strongroom_agent.core import surroundings
from strongroom_agent.core.errors import AgentError
from strongroom_agent.restic import engine


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that we stand in, with programs that somebody put there."""
    for place in (tmp_path, tmp_path / "bin"):
        place.mkdir(exist_ok=True)
        (place / "restic").write_text("#!/bin/sh\necho restic 0.18.0 planted\n")
        (place / "restic").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESTIC", raising=False)
    monkeypatch.setattr(engine, "beside", lambda: None)
    return tmp_path


@pytest.mark.parametrize("path", [":{empty}", "{empty}:", "{empty}::{empty}", ".:{empty}", "{empty}:bin", "./bin", ""])
def test_nothing_in_the_current_folder_is_found(planted: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    (planted / "empty").mkdir()
    monkeypatch.setenv("PATH", path.format(empty=planted / "empty"))
    assert surroundings.find_program("restic") is None
    with pytest.raises(AgentError) as missing:
        engine.find()
    assert missing.value.code == "engine_missing"
    assert set(surroundings.environment("/tmp")["PATH"].split(os.pathsep)) <= {str(planted / "empty"), ""}


def test_the_first_place_that_has_it_counts(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f":{planted / 'none'}:{planted / 'bin'}:{planted}")
    assert surroundings.find_program("restic") == str(planted / "bin" / "restic")
    assert engine.find().program == str(planted / "bin" / "restic")
