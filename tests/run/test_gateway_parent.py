"""The parent of a gateway: after an unclean stop nothing is stored before objects are compared; reading always goes."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench import measure
from deploy.runner.gateway import MARGIN, RESERVED, Marker
from tests.waiting import wait_for

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
# In place of rclone: says that it serves, answers every request with its method, and ends as it is told.
SERVE = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[2])
listener.listen()
open(sys.argv[1], 'a').write('serves\\n')
while True:
    line, _ = listener.accept()
    with line:
        if head := line.recv(65536):
            line.sendall(b'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n' + head.split()[0])
"""
# The same, but that it notes each request and answers none.
HOLD = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[2])
listener.listen(200)
lines = []
while True:
    lines.append(listener.accept()[0])
    if lines[-1].recv(65536):
        open(sys.argv[1], 'a').write('holds\\n')
"""
CHECK = "import sys; open(sys.argv[1], 'a').write('checks ' + sys.argv[3] + '\\n'); sys.exit({status})"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the parent; what it had done stands in `events`."""
    started: list[subprocess.Popen[str]] = []
    events = str(tmp_path / "events")

    def begin(
        status: int = 0, serve: str = SERVE, finish: float = 20, rest: float = 0, descriptors: int | None = None
    ) -> "subprocess.Popen[str]":
        description = {
            "marker": str(tmp_path / "local-a.alive"),
            "socket": str(tmp_path / "socket"),
            "inner": str(tmp_path / "inner"),
            "gate": str(tmp_path / "gate"),
            "check": [sys.executable, "-c", CHECK.format(status=status), events],
            "serve": [sys.executable, "-c", serve, events, str(tmp_path / "inner")],
            "finish": finish,
            "rest": rest,
        }
        command = [sys.executable, "-S", "-m", "deploy.runner.gateway", json.dumps(description)]
        if descriptors is not None:
            command = ["prlimit", f"--nofile={descriptors}", *command]
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


def asked(folder: Path, method: str) -> str:
    """The answer of the gateway: its status, and what rclone's stand-in says; empty when nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(10)
            line.connect(str(folder / "socket"))
            line.sendall(f"{method} /v/m/config HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            answer = b"".join(iter(lambda: line.recv(65536), b"")).decode()
    except OSError:
        return ""
    body = answer.rpartition("\r\n")[2]
    return f"{answer.split()[1]} {body}".strip()


def reading(folder: Path, machine: str) -> socket.socket:
    """A connection with the question of that machine for an object."""
    names = {"Serial": "1", "Fingerprint": "f"}
    lines = [f"GET /v/{machine}/data/x HTTP/1.1", "Host: x", "X-Forwarded-Method: GET"]
    lines += [f"X-Forwarded-Uri: /local-a/v/{machine}/data/x", *(f"X-Client-{name}: {names[name]}" for name in names)]
    line = socket.socket(socket.AF_UNIX)
    line.connect(str(folder / "socket"))
    line.sendall("\r\n".join([*lines, "", ""]).encode())
    return line


def stores(folder: Path) -> bool:
    """Whether something can be stored."""
    return asked(folder, "POST") == "200 POST"


def test_after_a_clean_stop_nothing_is_compared(start: Start, tmp_path: Path) -> None:
    """Neither at the first start ever; a marker is there exactly while it serves."""
    for _ in range(2):
        (tmp_path / "events").unlink(missing_ok=True)
        process = start()
        wait_for("it to store", lambda: stores(tmp_path))
        assert events(tmp_path) == ["serves"]
        assert (tmp_path / "local-a.alive").exists()
        process.terminate()
        assert process.wait(30) == 0
        assert not (tmp_path / "local-a.alive").exists()


@pytest.mark.parametrize("victim", ["parent", "rclone"])
def test_after_a_kill_recent_objects_are_compared_first(start: Start, tmp_path: Path, victim: str) -> None:
    """From well before the last sign of life, whoever of the two was killed; and rclone never outlives its parent."""
    process = start()
    wait_for("it to store", lambda: stores(tmp_path))
    child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    os.kill(process.pid if victim == "parent" else child, signal.SIGKILL)
    assert process.wait(30) == (-signal.SIGKILL if victim == "parent" else 1)
    wait_for("rclone to end", lambda: not _lives(child))
    last = Marker(tmp_path / "local-a.alive").last()
    assert last is not None
    start()
    expected = ["serves", "serves", f"checks {(last - MARGIN).isoformat()}"]
    wait_for("it to store again", lambda: stores(tmp_path))
    assert events(tmp_path) == expected


def test_while_the_comparison_fails_all_is_read_and_nothing_stored(start: Start, tmp_path: Path) -> None:
    """The marker stays as it was, also after a stop, so that the next try compares from the same time on."""
    marker = tmp_path / "local-a.alive"
    marker.write_text("2026-11-22T10:00:00+00:00")
    process = start(status=1)
    wait_for("a second comparison", lambda: len(events(tmp_path)) > 2)
    assert set(events(tmp_path)) == {"serves", "checks 2026-11-22T09:45:00+00:00"}
    refused = {"POST": "503", "DELETE": "503", "PUT": "503", "MOVE": "503", "OPTIONS": "503"}
    read = {"GET": "200 GET", "HEAD": "200 HEAD"}
    expected = refused | read
    assert {method: asked(tmp_path, method) for method in expected} == expected
    process.terminate()
    assert process.wait(30) == 0
    assert marker.read_text() == "2026-11-22T10:00:00+00:00"


@pytest.mark.parametrize("marked", [False, True], ids=["clean", "unclean"])
def test_without_room_for_a_note_all_is_read_and_nothing_stored(start: Start, tmp_path: Path, marked: bool) -> None:
    """A kill would leave no trace. No comparison is tried that could not write its entry; with room all goes on."""
    marker = tmp_path / "local-a.alive"
    if marked:
        marker.write_text("2026-11-22T10:00:00+00:00")
    (tmp_path / "local-a.new").mkdir()  # in the place of the note, which stops root too
    process = start()
    wait_for("it to read", lambda: asked(tmp_path, "GET") == "200 GET")
    assert asked(tmp_path, "POST") == "503"
    assert process.poll() is None
    assert events(tmp_path) == ["serves"]
    (tmp_path / "local-a.new").rmdir()
    wait_for("it to store", lambda: stores(tmp_path))
    assert events(tmp_path) == ["serves", *(["checks 2026-11-22T09:45:00+00:00"] if marked else [])]


def test_a_disk_that_fills_up_later_stops_nothing(tmp_path: Path) -> None:
    """The last sign of life stays, so that more is compared after a kill."""
    marker = Marker(tmp_path / "marker")
    assert marker.touch()
    last = marker.last()
    (tmp_path / "marker.new").mkdir()
    assert not marker.touch()
    assert marker.last() == last


def test_an_upload_that_does_not_end_leaves_the_marker(start: Start, tmp_path: Path) -> None:
    """Rclone that does not end when told to is in the middle of something."""
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVE}"
    process = start(serve=stubborn, finish=0.5)
    wait_for("it to store", lambda: stores(tmp_path))
    process.terminate()
    assert process.wait(30) == 1
    assert (tmp_path / "local-a.alive").exists()


def test_without_descriptors_it_waits_for_one(start: Start, tmp_path: Path) -> None:
    """Rather than trying without a pause, which would take a core from those that have one."""
    process = start()
    wait_for("it to store", lambda: stores(tmp_path))
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (_lowest_free(process.pid), hard))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(asked, tmp_path, "GET")
        before = measure.cpu_seconds([process.pid])
        assert wait([answer], timeout=2).done == set()
        used = measure.cpu_seconds([process.pid]) - before
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert answer.result() == "200 GET"
    assert used < 0.5, used


def test_some_descriptors_are_never_taken_by_transfers(start: Start, tmp_path: Path) -> None:
    """Else nobody could be asked about those that are open, nor a sign of life be noted."""
    with socket.socket(socket.AF_UNIX) as gate, ExitStack() as lines:
        gate.bind(str(tmp_path / "gate"))
        gate.listen()
        gate.settimeout(20)
        process = start(serve=HOLD, descriptors=100)
        wait_for("it to listen", lambda: (tmp_path / "socket").exists())
        for number in range(100):
            lines.enter_context(reading(tmp_path, f"m{number}"))
        wait_for("them to be passed on", lambda: len(events(tmp_path)) == (100 - RESERVED) // 2)
        taken = os.listdir(f"/proc/{process.pid}/fd")
        gate.accept()[0].close()
        gate.accept()[0].close()
    assert len(taken) < 100 - RESERVED + 20


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


def _lowest_free(pid: int) -> int:
    """The descriptor that the process would get next: with this as its limit it gets none."""
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    return min(set(range(len(taken) + 1)) - taken)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
