"""Stopping, by all ways there are, leaves nothing behind; the next start goes on where this one ended."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.portal_process import Portal, start
from tests.waiting import wait_for

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data folder for all starts of this module: second starts are what it is about."""
    folder = Path(tempfile.mkdtemp(prefix="sr-", dir="/tmp"))
    yield folder / "d"
    shutil.rmtree(folder)


@pytest.fixture
def started(folder: Path) -> Iterator[Portal]:
    """A ready portal, on the folder that the one before left."""
    portal = start(folder)
    try:
        portal.wait_until_ready()
        yield portal
    finally:
        if portal.process.poll() is None:
            portal.stop(signal.SIGTERM)


@pytest.mark.parametrize(
    "signum",
    [
        signal.SIGTERM,
        *(pytest.param(other, marks=pytest.mark.long) for other in (signal.SIGINT, signal.SIGHUP)),
    ],
)
def test_a_signal_stops_everything(started: Portal, signum: signal.Signals) -> None:
    """With status 0, every process gone, no gateway marked as unclean."""
    assert started.stop(signum) == 0
    assert list((started.data / "gateway").iterdir()) == []
    assert started.accounts  # made once, there for all starts


def test_when_supervisord_is_killed_everything_ends(started: Portal) -> None:
    """And the start says so with its status."""
    os.kill(started.supervisor(), signal.SIGKILL)
    assert started.process.wait(40) == 1
    assert started.processes() == set()


@pytest.mark.long
def test_when_the_start_itself_is_killed_everything_ends(started: Portal) -> None:
    """No process of ours is there to see to it: the kernel tells supervisord, and supervisord the parts."""
    started.process.kill()
    started.process.wait()
    wait_for("all parts to end", lambda: not started.processes(), seconds=40)


@pytest.mark.long
def test_a_start_ends_what_an_earlier_one_left(started: Portal) -> None:
    """Both killed at once, with the parts stopped so that they cannot react: the worst that can be left."""
    left = started.processes()
    for pid in left - {started.supervisor()}:
        os.kill(pid, signal.SIGSTOP)
    os.kill(started.process.pid, signal.SIGKILL)
    os.kill(started.supervisor(), signal.SIGKILL)
    started.process.wait()
    assert started.processes()
    second = start(started.data, PORT=str(started.port), EDGE_PORT=str(started.edge_port))
    try:
        second.wait_until_ready()
        assert not left & second.processes()
    finally:
        second.stop()
