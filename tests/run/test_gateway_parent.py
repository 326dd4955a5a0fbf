"""The parent of a gateway: objects are compared after an unclean stop, before anything is served, and only then."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.runner.gateway import MARGIN, Marker
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
# In place of rclone: says that it serves, and ends as it is told.
SERVE = "import sys, time; open(sys.argv[1], 'a').write('serves\\n'); time.sleep(60)"
CHECK = "import sys; open(sys.argv[1], 'a').write('checks ' + sys.argv[3] + '\\n'); sys.exit({status})"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the parent; what it had done stands in `events`."""
    started: list[subprocess.Popen[str]] = []
    events = str(tmp_path / "events")

    def begin(status: int = 0, serve: str = SERVE, finish: float = 20) -> "subprocess.Popen[str]":
        description = {
            "marker": str(tmp_path / "local-a.alive"),
            "socket": str(tmp_path / "socket"),
            "check": [sys.executable, "-c", CHECK.format(status=status), events],
            "serve": [sys.executable, "-c", serve, events],
            "finish": finish,
            "rest": 0,
        }
        command = [sys.executable, "-S", "-m", "deploy.runner.gateway", json.dumps(description)]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def events(folder: Path) -> list[str]:
    """What has happened."""
    path = folder / "events"
    return path.read_text().splitlines() if path.exists() else []


def test_after_a_clean_stop_nothing_is_compared(start: Start, tmp_path: Path) -> None:
    """Neither at the first start ever; a marker is there exactly while it serves."""
    for _ in range(2):
        (tmp_path / "events").unlink(missing_ok=True)
        process = start()
        wait_for("it to serve", lambda: events(tmp_path) == ["serves"])
        assert (tmp_path / "local-a.alive").exists()
        process.terminate()
        assert process.wait(30) == 0
        assert not (tmp_path / "local-a.alive").exists()


@pytest.mark.parametrize("victim", ["parent", "rclone"])
def test_after_a_kill_recent_objects_are_compared_first(start: Start, tmp_path: Path, victim: str) -> None:
    """From well before the last sign of life, whoever of the two was killed; and rclone never outlives its parent."""
    process = start()
    wait_for("it to serve", lambda: events(tmp_path) == ["serves"])
    child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    os.kill(process.pid if victim == "parent" else child, signal.SIGKILL)
    assert process.wait(30) == (-signal.SIGKILL if victim == "parent" else 1)
    wait_for("rclone to end", lambda: not _lives(child))
    last = Marker(tmp_path / "local-a.alive").last()
    assert last is not None
    start()
    expected = ["serves", f"checks {(last - MARGIN).isoformat()}", "serves"]
    wait_for("it to serve again", lambda: events(tmp_path) == expected)


def test_while_the_comparison_fails_nothing_is_served(start: Start, tmp_path: Path) -> None:
    """The marker stays as it was, so that the next try compares from the same time on."""
    marker = tmp_path / "local-a.alive"
    marker.write_text("2026-11-22T10:00:00+00:00")
    process = start(status=1)
    assert process.wait(30) == 1
    assert events(tmp_path) == ["checks 2026-11-22T09:45:00+00:00"]
    assert marker.read_text() == "2026-11-22T10:00:00+00:00"


def test_an_upload_that_does_not_end_leaves_the_marker(start: Start, tmp_path: Path) -> None:
    """Rclone that does not end when told to is in the middle of something."""
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVE}"
    process = start(serve=stubborn, finish=0.5)
    wait_for("it to serve", lambda: events(tmp_path) == ["serves"])
    process.terminate()
    assert process.wait(30) == 1
    assert (tmp_path / "local-a.alive").exists()


def test_a_marker_that_cannot_be_read_means_everything(tmp_path: Path) -> None:
    """Half a file, after a crash of the machine: compare all there is."""
    marker = Marker(tmp_path / "marker")
    (tmp_path / "marker").write_text("2026-11-")
    last = marker.last()
    assert last is not None
    assert last - MARGIN == datetime.fromtimestamp(0, UTC)


def test_a_sign_of_life_is_now(tmp_path: Path) -> None:
    """And replaces the one before as a whole."""
    marker = Marker(tmp_path / "marker")
    assert marker.last() is None
    marker.touch()
    last = marker.last()
    assert last is not None
    assert timedelta() <= datetime.now(UTC) - last < timedelta(seconds=30)
    marker.clear()
    assert marker.last() is None


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
