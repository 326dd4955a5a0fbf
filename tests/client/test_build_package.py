"""Building the small package: by its own program, as the portal and `make agents` call it."""

import hashlib
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from strongroom_agent import __version__

# It is a program beside a package, and part of none.
build_package = importlib.import_module("agents.client.build_package")

pytestmark = pytest.mark.system


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    """Its command line."""
    monkeypatch.setattr(sys, "argv", ["build_package.py", *map(str, arguments)])
    build_package.main()


def test_it_builds_what_starts_and_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "agent"
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)  # what pex says goes there
    call(monkeypatch, program)
    told = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert told["sha256"] == hashlib.sha256(program.read_bytes()).hexdigest()
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    said = subprocess.run([program, "--version"], env=environment, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["strongroom-agent", __version__]


def test_what_starts_an_agent_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call(monkeypatch, tmp_path / "strongroom-agent", "--start-of-folder")
    text = (tmp_path / "strongroom-agent").read_text()
    assert text.startswith("#!/bin/sh\n")
    assert "-m strongroom_agent" in text
    assert os.access(tmp_path / "strongroom-agent", os.X_OK)


def test_only_update_keys_are_put_into_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "update").mkdir()
    good, bad = tmp_path / "keys.json", tmp_path / "others.json"
    good.write_text('{"keys": ["YQ=="]}')
    bad.write_text('{"keys": [1]}')
    call(monkeypatch, tmp_path, "--keys-only", "--update-keys", good)
    assert json.loads((tmp_path / "update" / "keys.json").read_text()) == {"keys": ["YQ=="]}
    with pytest.raises(ValueError, match="holds no update keys"):
        call(monkeypatch, tmp_path, "--keys-only", "--update-keys", bad)
