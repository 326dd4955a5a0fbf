"""What the agent's tests share: certificates, a storage server, a test portal, a machine."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from .authority import Authority
from .peer import Faults, Peer
from .world import World


@pytest.fixture(scope="session")
def authority() -> Authority:
    """One set of certificates for all tests."""
    return Authority()


def free_port() -> int:
    """A port of the range that these tests may use."""
    for port in range(18100, 18200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


@dataclass(frozen=True)
class Regions:
    """The folder with all regions' data, and the address of the rclone that serves it."""

    folder: Path
    rclone: tuple[str, int]


@pytest.fixture(scope="session")
def regions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regions]:
    """Storage for all tests."""
    folder, port = tmp_path_factory.mktemp("regions"), free_port()
    command = ["rclone", "serve", "restic", "--append-only", "--cache-objects=false", "--addr", f"127.0.0.1:{port}"]
    program = shutil.which("rclone") or str(Path(sys.executable).parent / "rclone")
    process = subprocess.Popen([program, *command[1:], str(folder)], stderr=subprocess.DEVNULL)
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/")
        yield Regions(folder, ("127.0.0.1", port))
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_up(url: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"nothing answers at {url}")


@contextmanager
def serving(authority: Authority, folder: Path, rclone: tuple[str, int]) -> Iterator[Peer]:
    """A test portal with a vault of its own, while it runs."""
    portal = Peer(authority, folder, rclone)
    server = portal.start(free_port())
    yield portal
    server.shutdown()
    server.server_close()


@pytest.fixture
def world(authority: Authority, tmp_path: Path, regions: Regions) -> Iterator[World]:
    """A machine with a dozen files, not registered yet."""
    with serving(authority, tmp_path, regions.rclone) as peer:
        machine = World(tmp_path, peer)
        machine.fill()
        yield machine


@pytest.fixture(scope="session")
def _ready(authority: Authority, tmp_path_factory: pytest.TempPathFactory, regions: Regions) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("ready")
    with serving(authority, folder, regions.rclone) as peer:
        machine = World(folder, peer)
        machine.fill()
        ran = machine.setup()
        assert ran.status == 0, ran
        yield machine


@pytest.fixture
def ready(_ready: World) -> Iterator[World]:
    """A machine that has been set up, shared by tests that leave it as it is but for more snapshots."""
    _ready.peer.runs.clear()
    _ready.peer.requests.clear()
    yield _ready
    _ready.peer.faults = Faults()
