"""A machine that updates itself, set up anew for each test."""

import json
import shutil
from pathlib import Path

import pytest

from tests.client.world import World

from . import program
from .fleet import OLD, Signers, Updating


@pytest.fixture(scope="session")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Signers:
    """Who signs releases, for all tests."""
    return Signers(tmp_path_factory.mktemp("signers"))


@pytest.fixture(scope="session")
def installed(signers: Signers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return program.folder(tmp_path_factory.mktemp("installed") / "place", OLD, signers.public)


@pytest.fixture
def machine(world: World, signers: Signers, installed: Path) -> Updating:
    """A machine that has registered, with the oldest version in its place."""
    world.register_only()
    return _install(world, signers, installed)


@pytest.fixture
def backed_up(world: World, signers: Signers, installed: Path) -> Updating:
    """The same with backups."""
    assert world.setup().status == 0
    return _install(world, signers, installed)


def _install(world: World, signers: Signers, installed: Path) -> Updating:
    shutil.copytree(installed, world.root / "place", symlinks=True)
    settings = world.home / "settings.json"
    known = json.loads(settings.read_text())
    settings.write_text(json.dumps({**known, "install_dir": str(world.root / "place")}))
    world.peer.heartbeats.clear()
    return Updating(world, signers)
