"""`deploy/install` with a Python that only notes what it is asked: what it does to a `.venv` that is there already."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from strongroom_agent import __version__

ROOT = Path(__file__).resolve().parents[2]
PYTHON = """#!/bin/sh
echo "$*" >>"{log}"
case "$*" in *"-m venv"*)
    rm -rf .venv
    mkdir -p .venv/bin
    cp "$0" .venv/bin/python
    cp "$0" .venv/bin/uv
esac
"""
MADE = "-m venv --clear .venv"


class Place:
    """A checkout with nothing to install in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log, self.python = folder, folder / "log", folder / "python"
        agent = ("agents/client/pyproject.toml", "agents/client/strongroom_agent/__init__.py")
        for name in ("deploy/bootstrap.txt", "deploy/requirements.txt", *agent):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        shutil.copy(ROOT / "deploy" / "install", folder / "deploy" / "install")
        self.script(self.python, PYTHON.format(log=self.log))

    def script(self, path: Path, text: str) -> None:
        """An executable."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def install(self) -> list[str]:
        """Run it; what its Pythons were asked to do, in order."""
        self.log.write_text("")
        subprocess.run([self.folder / "deploy" / "install", "run", self.python], check=True, capture_output=True)
        return self.log.read_text().splitlines()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_second_call_costs_nothing(place: Place) -> None:
    assert MADE in place.install()
    assert place.install() == []


def test_an_environment_with_pip_is_kept(place: Place) -> None:
    place.install()
    (place.folder / "deploy" / "requirements.txt").write_text("something new")
    assert MADE not in place.install()


def test_an_environment_without_pip_is_made_anew(place: Place) -> None:
    """That is how one is left whose making was interrupted."""
    place.script(place.folder / ".venv" / "bin" / "python", "#!/bin/sh\nexit 1\n")
    assert MADE in place.install()
    assert place.install() == []


def test_an_environment_of_an_older_installer_is_brought_up_to_date(place: Place) -> None:
    place.install()
    with (place.folder / "deploy" / "install").open("a") as file:
        file.write("# a newer one\n")
    assert any("uv" in line or "pip install" in line for line in place.install())
    assert place.install() == []


def test_another_version_of_the_agent_is_installed(place: Place) -> None:
    """What is installed tells its version; without this it would be the one before."""
    place.install()
    (place.folder / "agents/client/strongroom_agent/__init__.py").write_text('__version__ = "2.0.0"')
    assert any("agents/client" in line for line in place.install())
    assert place.install() == []


@pytest.mark.parametrize("name", ["plain", 'with a quote\'s "and" $HOME'])
def test_the_agent_is_started_without_anything_of_the_calling_shell(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    place = Place(tmp_path / name)
    place.python.write_text(PYTHON.format(log="$LOG"))
    subprocess.run(
        [place.folder / "deploy" / "install", "run", place.python],
        check=True,
        capture_output=True,
        env={**os.environ, "LOG": str(tmp_path / "log")},
    )
    log = tmp_path / "started"
    agent = place.folder / ".venv" / "bin" / "strongroom-agent"
    subprocess.run([agent, "status", "a b"], check=True, env={**os.environ, "LOG": str(log)})
    assert log.read_text() == "-X utf8 -I -m strongroom_agent status a b\n"


FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONPLATLIBDIR", "PYTHONVERBOSE")


@pytest.mark.system
def test_the_agent_in_this_environment_is_isolated(tmp_path: Path) -> None:
    """What `deploy/install` has left here, with modules planted where Python would look for them."""
    for module in ("json", "httpx", "strongroom_agent"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('planted')")
    agent = Path(sys.executable).parent / "strongroom-agent"
    ran = subprocess.run(
        [agent, "--version"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **dict.fromkeys(FOREIGN, str(tmp_path))},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"strongroom-agent {__version__}\n", "")
