"""The agent as a package: versions that agree, and one file that runs on every Python that it is made for."""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from strongroom_agent import __version__

CLIENT = Path(__file__).resolve().parents[2] / "agents" / "client"
LOCKED = re.compile(r"^([a-z0-9-]+)==([^ ;\\]+)", re.MULTILINE)


def locked(path: Path) -> dict[str, str]:
    """The versions that a lock file names."""
    return dict(LOCKED.findall(path.read_text()))


def test_the_version_is_the_same_everywhere() -> None:
    assert tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]["version"] == __version__


def test_the_package_holds_what_is_tested() -> None:
    """The site's lock and the agent's name the same versions, so the tests ran with what people get."""
    ours, site = locked(CLIENT / "requirements.txt"), locked(CLIENT.parents[1] / "deploy" / "requirements.txt")
    assert set(ours) >= {"cryptography", "httpx", "joserfc"}
    assert {name: site.get(name) for name in ours} == ours


@pytest.mark.long
@pytest.mark.system
def test_the_same_sources_give_the_same_file(tmp_path: Path) -> None:
    built = [build(tmp_path / name) for name in ("first", "second")]
    assert built[0]["sha256"] == built[1]["sha256"]
    assert built[0]["sha256"] == hashlib.sha256((tmp_path / "first").read_bytes()).hexdigest()
    done = subprocess.run([sys.executable, tmp_path / "first", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"strongroom-agent {__version__}\n"


def build(output: Path) -> dict[str, object]:
    """Build the package; what the builder says about it."""
    command = [sys.executable, str(CLIENT / "build_package.py"), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    described: dict[str, object] = json.loads(done.stdout)
    return described
