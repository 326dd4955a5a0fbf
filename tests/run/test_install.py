"""`deploy/install` with a Python that only notes what it is asked: what it does to a `.venv` that is there already."""

import shutil
import subprocess
from pathlib import Path

import pytest

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
        for name in ("deploy/bootstrap.txt", "deploy/requirements.txt", "agents/client/pyproject.toml"):
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
