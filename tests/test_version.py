"""There is one version, of portal and agent together, and it is said in one place."""

import tomllib
from importlib import metadata
from pathlib import Path

from setuptools.config.pyprojecttoml import read_configuration  # type: ignore[import-untyped]
from strongroom_agent import __version__

ROOT = Path(__file__).resolve().parent.parent
PROJECTS = (ROOT / "pyproject.toml", ROOT / "agents" / "client" / "pyproject.toml")


def test_both_projects_read_it_and_say_none_of_their_own() -> None:
    said = [tomllib.loads(path.read_text())["project"].get("version") for path in PROJECTS]
    assert said == [None, None]
    read = [read_configuration(path)["project"]["version"] for path in PROJECTS]
    assert read == [__version__, __version__]


def test_what_is_installed_tells_it() -> None:
    assert metadata.version("strongroom-agent") == __version__


def test_it_stands_nowhere_else() -> None:
    """In no source: those ask for it."""
    said = f'"{__version__}"'
    folders = ("portal", "vaults", "agents", "deploy")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert [path.relative_to(ROOT).as_posix() for path in paths if said in path.read_text()] == [
        "agents/client/strongroom_agent/__init__.py"
    ]
