"""The PATH that Windows keeps: what is put in and taken out, as far as it needs no registry; wine shows the rest."""

import os
from pathlib import Path, PureWindowsPath

import pytest
from strongroom_agent.setup import on_path, windows_path

HERE = Path("/opt/agent")


def test_only_the_folder_itself_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRAMS", "/opt")
    parts = ["/opt/agent/", "", "$PROGRAMS/agent", "/opt", "/opt/agent-2", "/opt/agent/../agent"]
    assert [windows_path._same(part, HERE) for part in parts] == [True, False, True, False, False, True]


@pytest.mark.parametrize(
    "words", [[], ["add"], ["add", "not/a/full/path"], ["delete", "/opt/agent"], ["add", "/a", "/b"]]
)
def test_other_words_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert windows_path.main(words) == 2
    assert capsys.readouterr().err == "on-path add|remove FOLDER: the folder as a full path.\n"


def test_a_failure_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Here there is no such PATH at all."""
    assert windows_path.main(["add", str(HERE)]) == 1
    assert "PATH could not be changed" in capsys.readouterr().err


@pytest.mark.parametrize(("added", "remark"), [(True, "Windows that are opened from now on"), (False, "")])
def test_what_setup_says(added: bool, remark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows_path, "add", lambda folder: added)
    said = on_path._on_windows(HERE / "strongroom-agent.exe")
    assert said.path == os.fspath(HERE / "strongroom-agent.exe")
    assert said.remark.startswith(remark)
    assert bool(said.remark) is added


def test_setup_goes_on_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: PureWindowsPath) -> bool:
        raise OSError(13, "Access is denied")

    monkeypatch.setattr(windows_path, "add", refuse)
    said = on_path._on_windows(HERE / "strongroom-agent.exe")
    assert said.path is None
    assert "Access is denied" in said.remark
    assert "/opt/agent/strongroom-agent.exe" in said.remark
