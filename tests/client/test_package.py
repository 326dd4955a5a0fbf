"""The agent as a package: versions that agree, and one file that runs on every Python that it is made for."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from strongroom_agent import __version__

CLIENT = Path(__file__).resolve().parents[2] / "agents" / "client"
LOCKED = re.compile(r"^([a-z0-9-]+)==([^ ;\\]+)", re.MULTILINE)


def locked(path: Path) -> dict[str, str]:
    """The versions that a lock file names."""
    return dict(LOCKED.findall(path.read_text()))


def test_the_version_is_said_in_one_place() -> None:
    """The program's own, which the package is built with."""
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    assert metadata.version("strongroom-agent") == __version__


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
    done = subprocess.run([tmp_path / "first", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"strongroom-agent {__version__}\n"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent in one file."""
    path = tmp_path_factory.mktemp("package") / "strongroom-agent"
    build(path)
    return path


FOREIGN = {
    "PYTHONPATH": "{planted}", "PYTHONHOME": "/nowhere", "PYTHONSTARTUP": "{planted}/json.py", "PYTHONINSPECT": "1",
    "PYTHONVERBOSE": "1", "PEX_MODULE": "json", "PEX_INTERPRETER": "1", "PEX_EXTRA_SYS_PATH": "{planted}",
    "PEX_PYTHON": "/bin/false", "PEX_PATH": "/nowhere", "PEX_ROOT": "{planted}/root", "PEX_VERBOSE": "9",
    "PEX_INHERIT_PATH": "prefer", "__PEX_EXE__": "/bin/false", "LC_ALL": "xx_YY.koi8-r", "PEX_DISABLE_VARIABLES": "0",
    "PATH": ":.:bin:{path}:",
}  # fmt: skip


@pytest.mark.system
@pytest.mark.parametrize("name", [*(pytest.param(each, marks=pytest.mark.long) for each in FOREIGN), "all of them"])
def test_nothing_of_the_calling_environment_reaches_the_package(package: Path, tmp_path: Path, name: str) -> None:
    """Nor do pex's own settings in the home folder, and modules and programs that lie where the person stands."""
    planted = tmp_path / "planted"
    planted.mkdir()
    for module in ("json", "httpx", "re", "strongroom_agent"):
        (planted / f"{module}.py").write_text("raise SystemExit('planted')")
    (planted / "bin").mkdir()
    for program in ("python3", "restic", "env"):
        for place in (planted, planted / "bin"):
            (place / program).write_text(f"#!/bin/sh\ntouch {planted}/root\n")
            (place / program).chmod(0o755)
    (tmp_path / ".pexrc").write_text("PEX_MODULE=json\nPEX_VERBOSE=9\n")
    given = {
        key: value.format(planted=planted, path=os.environ["PATH"])
        for key, value in FOREIGN.items()
        if name in (key, "all of them")
    }
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **given}
    ran = subprocess.run([package, "--version"], env=environment, cwd=planted, capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"strongroom-agent {__version__}\n".encode(), b"")
    assert not (planted / "root").exists()


@pytest.mark.system
def test_what_the_readme_names_reaches_the_package(package: Path, tmp_path: Path) -> None:
    """Also with a PATH on which there is nothing but Python: the package has nothing to say of that."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    environment = {"PATH": f"{tmp_path}/bin", "HOME": str(tmp_path), "STRONGROOM_AGENT_HOME": f"{tmp_path}/a b"}
    ran = subprocess.run([package, "status", "--json"], env=environment, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, b"")
    assert f"nothing about it in {tmp_path}/a b." in json.loads(ran.stdout)["message"]
    del environment["STRONGROOM_AGENT_HOME"]
    ran = subprocess.run([package, "status", "--json"], env=environment, capture_output=True, check=False)
    assert f"nothing about it in {tmp_path}/.config/strongroom-agent." in json.loads(ran.stdout)["message"]


def build(output: Path) -> dict[str, object]:
    """Build the package; what the builder says about it."""
    command = [sys.executable, str(CLIENT / "build_package.py"), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    described: dict[str, object] = json.loads(done.stdout)
    return described
