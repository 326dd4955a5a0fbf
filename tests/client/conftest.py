"""What the agent's tests share: certificates, a storage server, a test portal, a machine."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from strongroom_agent.restic import engine
from strongroom_agent.setup import reach

from .authority import Authority
from .peer import Faults, Peer
from .prepared import Kept
from .serving import Storage, serving
from .world import World


@pytest.fixture(scope="session")
def authority() -> Authority:
    """One set of certificates for all tests."""
    return Authority()


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Storage for all tests."""
    folder = tmp_path_factory.mktemp("regions")
    with tempfile.TemporaryDirectory() as short:  # a socket's path has at most 107 characters
        address = Path(short) / "rclone"
        program = shutil.which("rclone") or str(Path(sys.executable).parent / "rclone")
        command = [program, "serve", "restic", "--append-only", "--cache-objects=false"]
        process = subprocess.Popen([*command, "--addr", f"unix://{address}", str(folder)], stderr=subprocess.DEVNULL)
        try:
            _wait_until_up(address)
            yield Storage(folder, address)
        finally:
            process.terminate()
            process.wait(10)


def _wait_until_up(address: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(address)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"nothing answers at {address}")


@pytest.fixture
def world(authority: Authority, tmp_path: Path, storage: Storage) -> Iterator[World]:
    """A machine with a dozen files, not registered yet."""
    with serving(authority, tmp_path, storage.rclone) as peer:
        peer.regions = storage.folder
        machine = World(tmp_path, peer)
        machine.fill()
        yield machine


@contextmanager
def set_up(authority: Authority, folder: Path, storage: Storage, files: int) -> Iterator[World]:
    """A machine in `folder` that has been set up with so many files."""
    with serving(authority, folder, storage.rclone) as peer:
        peer.regions = storage.folder
        machine = World(folder, peer)
        machine.fill(files)
        ran = machine.setup()
        assert ran.status == 0, ran
        yield machine


@pytest.fixture(scope="session")
def _ready(authority: Authority, tmp_path_factory: pytest.TempPathFactory, storage: Storage) -> Iterator[World]:
    with set_up(authority, tmp_path_factory.mktemp("ready"), storage, files=12) as machine:
        yield machine


@pytest.fixture
def ready(_ready: World) -> Iterator[World]:
    """A machine that has been set up, shared by tests that leave it as it is but for more snapshots."""
    _ready.peer.runs.clear()
    _ready.peer.uploading.clear()
    _ready.peer.requests.clear()
    yield _ready
    _ready.peer.faults = Faults()


@pytest.fixture(scope="module")
def _blank(authority: Authority, tmp_path_factory: pytest.TempPathFactory, storage: Storage) -> Iterator[World]:
    with set_up(authority, tmp_path_factory.mktemp("blank"), storage, files=1) as machine:
        yield machine


@pytest.fixture
def blank(_blank: World) -> Iterator[World]:
    """A machine with nothing to protect yet, for tests that make many backups."""
    for name in ("source", "out"):
        shutil.rmtree(_blank.root / name, ignore_errors=True)
    _blank.source.mkdir()
    (_blank.home / "protected.json").unlink(missing_ok=True)
    _blank.peer.runs.clear()
    yield _blank
    _blank.peer.faults = Faults()


@pytest.fixture(scope="session")
def _kept(authority: Authority, tmp_path_factory: pytest.TempPathFactory, storage: Storage) -> Iterator[Kept]:
    kept = Kept(authority, tmp_path_factory.mktemp("kept"), storage)
    yield kept
    kept.close()


@pytest.fixture
def machine(_kept: Kept) -> World:
    """A machine with one large file and a small one, backed up, and copied to the pair; each test finds it so."""
    return _kept.machine()


@pytest.fixture
def alone(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A machine with a credential; its portal is taken to answer, since there is none."""
    monkeypatch.setattr(reach, "check", lambda edge_url, roots, proxy: None)
    monkeypatch.setattr(engine, "find", lambda: engine.Engine("/bin/restic", "0.18.0"))
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setattr(socket, "gethostname", lambda: "host-1")
    (tmp_path / "person").mkdir()
    machine = World(tmp_path, Peer(authority, tmp_path, tmp_path / "none"))
    machine.fill()
    machine.peer.url = "https://127.0.0.1:1"
    (tmp_path / "file.VaultCredentials").write_text(json.dumps(machine.peer.credential()))
    return machine


@pytest.fixture
def person(world: World) -> World:
    """A machine, and the home folder of whoever sets it up."""
    (world.root / "person").mkdir()
    (world.root / "file.VaultCredentials").write_text(json.dumps(world.peer.credential()))
    return world
