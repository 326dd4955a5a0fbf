"""The relay in front of rclone: bytes pass as they are, and what may not go on ends, with little held meanwhile."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.runner import relay as module
from deploy.runner import transfers
from deploy.runner.relay import Relay
from deploy.runner.transfers import Asked
from tests.waiting import wait_for

URI = "/local-a/v/m/data/x"
MEGABYTE = 2**20


@dataclass
class Behind:
    """A relay, a stand-in for rclone behind it, and a gate that says `verdict` about each transfer."""

    folder: Path
    verdict: int | None = 204
    asked: list[list[Asked]] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)  # by rclone, of each request
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    most: int = 1000
    refuses: bool = False  # rclone answers when it has the head, and hangs up with the rest unread

    def ask(self, asked: list[Asked]) -> list[int] | None:
        """What the gate says."""
        self.asked.append(asked)
        return None if self.verdict is None else [self.verdict] * len(asked)

    def rclone(self, listener: socket.socket) -> None:
        """Take one request after the other in threads; answer when all of its body has come."""
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._take, args=(line,), daemon=True).start()

    def _take(self, line: socket.socket) -> None:
        number = len(self.received)
        self.received.append(b"")
        with line, suppress(ConnectionError):  # cut off, as some tests want
            while part := line.recv(65536):
                self.received[number] += part
                head, end, body = self.received[number].partition(b"\r\n\r\n")
                if end and self.refuses:
                    line.sendall(self.answer)
                    return
                if end and len(body) >= int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0] or 0):
                    line.sendall(self.answer)
                    return

    def line(self, method: str = "POST", length: int = 0, machine: str = "m") -> socket.socket:
        """A connection of the edge, with the head of a request on it."""
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(20)
        line.connect(str(self.folder / "relay"))
        line.sendall(head(method, length, machine))
        return line


def head(method: str, length: int, machine: str = "m") -> bytes:
    """As the edge writes it."""
    names = {
        "Host": "localhost",
        "Content-Length": str(length),
        "X-Client-Fingerprint": "f",
        "X-Client-Serial": "5",
        "X-Forwarded-Method": method,
        "X-Forwarded-Uri": URI.replace("/m/", f"/{machine}/"),
        "Connection": "close",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in names.items())
    return f"{method} /v/m/data/x HTTP/1.1\r\n{lines}\r\n".encode()


def rest(line: socket.socket) -> bytes:
    """All that still comes."""
    received = b""
    while part := line.recv(65536):
        received += part
    return received


def quiet(behind: Behind) -> bool:
    """Whether the gate has been asked about what was open, and is not asked again."""
    before = len(behind.asked)
    time.sleep(2 * module.ASK_EVERY)
    return before > 0 and len(behind.asked) == before


@pytest.fixture
def behind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Behind]:
    made = Behind(tmp_path, most=getattr(request, "param", 1000))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "rclone"))
        listener.listen(100)
        threading.Thread(target=made.rclone, args=(listener,), daemon=True).start()
        relay = Relay(tmp_path / "relay", tmp_path / "rclone", made.ask, made.most)
        relay.writable = True
        relay.start()
        yield made
        assert relay.works
        relay.close()


@pytest.mark.parametrize("size", [0, 1, MEGABYTE, 5 * MEGABYTE])
def test_bytes_pass_as_they_are(behind: Behind, size: int) -> None:
    """Both ways, whatever their number, also when they come with the head."""
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    behind.answer = b"HTTP/1.1 200 OK\r\n\r\n" + body
    with behind.line(length=len(body)) as line:
        if body:  # without one it may be over already
            line.sendall(body)
        assert rest(line) == behind.answer
    assert behind.received == [head("POST", size) + body]


def test_a_head_in_pieces(behind: Behind) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(str(behind.folder / "relay"))
        for byte in head("GET", 0):
            line.sendall(bytes([byte]))
        assert rest(line) == behind.answer


def test_a_reader_that_takes_its_time_holds_up_nobody(behind: Behind) -> None:
    """What it has not taken waits at rclone, not here, and others pass."""
    behind.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 20 * MEGABYTE
    with behind.line("GET") as slow, behind.line("GET") as quick:
        assert slow.recv(10) == b"HTTP/1.1 2"
        began = time.process_time()
        assert rest(quick) == behind.answer
        assert time.process_time() - began < 5  # no busy loop over the one that waits
        assert slow.recv(3) == b"00 "
        assert len(rest(slow)) == len(behind.answer) - 13


@pytest.mark.parametrize("verdict", [403, 507])
def test_an_upload_that_may_not_go_on_ends(behind: Behind, verdict: int) -> None:
    """With the gate's status, within a second or so, while it is under way; rclone never gets the rest."""
    with behind.line(length=100) as line:
        line.sendall(b"a" * 50)
        wait_for("the gate to be asked", lambda: behind.asked)
        behind.verdict = verdict
        began = time.monotonic()
        assert rest(line).startswith(f"HTTP/1.1 {verdict} ".encode())
        assert time.monotonic() - began < 5
    assert set(map(tuple, behind.asked)) == {(("POST", URI, "5", "f"),)}
    assert behind.received == [head("POST", 100) + b"a" * 50]


def test_a_download_that_may_not_go_on_ends(behind: Behind) -> None:
    """In the middle of the answer, which is no whole one then."""
    behind.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 20 * MEGABYTE
    with behind.line("GET") as line:
        assert line.recv(10) == b"HTTP/1.1 2"
        wait_for("the gate to be asked", lambda: behind.asked)
        behind.verdict = 403
        behind.asked.clear()
        wait_for("the end to be there", lambda: len(behind.asked) > 1 or quiet(behind))
        assert len(rest(line)) < MEGABYTE
    behind.verdict = 204
    behind.asked.clear()
    with behind.line(length=5):
        wait_for("the gate to be asked", lambda: behind.asked)
    assert len(behind.asked[0]) == 1  # the one that was ended is forgotten


def test_when_nobody_can_tell_it_goes_on_for_a_while(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    """A portal that is being restarted cuts off nobody; one that stays away does."""
    behind.verdict = None
    with behind.line(length=2) as line:
        wait_for("three questions in vain", lambda: len(behind.asked) > 2)
        line.sendall(b"ab")
        assert rest(line) == behind.answer
    monkeypatch.setattr(module, "UNTOLD", 1.0)
    with behind.line(length=2) as line:
        assert rest(line).startswith(b"HTTP/1.1 503 ")


def test_an_upload_that_stands_still_ends(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that waits for its reader does not, nor does one whose answer takes rclone a while."""
    monkeypatch.setattr(transfers, "STALLED", 0.5)
    with behind.line(length=100) as line:
        line.sendall(b"a" * 50)
        assert rest(line).startswith(b"HTTP/1.1 408 ")
    behind.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 5 * MEGABYTE
    with behind.line("GET") as line:
        behind.asked.clear()
        wait_for("some questions", lambda: len(behind.asked) > 3)
        assert rest(line) == behind.answer


@pytest.mark.parametrize("end", [lambda line: line.shutdown(socket.SHUT_RDWR), lambda line: line.close()])
def test_a_client_that_leaves_takes_its_upload_along(behind: Behind, end: Callable[[socket.socket], None]) -> None:
    """rclone sees the end before the body is whole, and no open line is left."""
    with behind.line(length=100) as line:
        line.sendall(b"a" * 50)
        wait_for("rclone to have it", lambda: behind.received and behind.received[0].endswith(b"a" * 50))
        end(line)
        behind.asked.clear()
    with behind.line(length=1):
        wait_for("the gate to be asked", lambda: behind.asked)
        assert len(behind.asked[-1]) == 1


def test_one_machine_has_so_many_open_and_no_more(behind: Behind) -> None:
    """Whatever it does in its folder, and whichever certificate it shows; nobody else notices."""
    with ExitStack() as lines:
        opened = [lines.enter_context(behind.line(length=1)) for _ in range(module.OF_ONE_MACHINE)]
        wait_for("rclone to have them all", lambda: len(behind.received) == module.OF_ONE_MACHINE)
        for method in ("POST", "GET"):
            with behind.line(method) as line:
                assert rest(line).startswith(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n")
        with behind.line(machine="n") as line:
            assert rest(line) == behind.answer
        opened[0].sendall(b"a")
        assert rest(opened[0]) == behind.answer
        with behind.line("GET") as line:
            assert rest(line) == behind.answer
    assert len(behind.received) == module.OF_ONE_MACHINE + 2


@pytest.mark.parametrize("behind", [3], indirect=True)
def test_when_all_places_are_taken_whoever_comes_waits(behind: Behind) -> None:
    """Until one is free; none of those that have one notices."""
    with ExitStack() as lines:
        opened = [lines.enter_context(behind.line(length=1, machine=str(number))) for number in range(5)]
        wait_for("rclone to have as many", lambda: len(behind.received) == 3)
        wait_for("the gate to be asked about them", lambda: behind.asked and len(behind.asked[-1]) == 3)
        for line in opened:
            line.sendall(b"a")
            assert rest(line) == behind.answer
    assert len(behind.received) == 5


def test_without_rclone_the_edge_asks_again(behind: Behind) -> None:
    (behind.folder / "rclone").unlink()
    with behind.line("GET") as line:
        assert rest(line).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET / HTTP/1.1\r\n", b"x" * 70_000])
def test_what_is_no_request_reaches_nobody(behind: Behind, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(str(behind.folder / "relay"))
        line.sendall(sent)
        if len(sent) < 70_000:
            line.shutdown(socket.SHUT_WR)
        assert rest(line) == b""
    assert behind.received == []


def test_a_refusal_with_the_rest_unread_is_told(behind: Behind) -> None:
    """As rclone refuses to overwrite an object: the machine hears that, not that it should ask again; each time."""
    behind.refuses = True
    behind.answer = b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n"
    for _ in range(50):
        with behind.line(length=8 * MEGABYTE) as line:
            # None of it meets a closed connection, though nobody wants it.
            for _ in range(8):
                line.sendall(b"x" * MEGABYTE)
            assert rest(line) == behind.answer


def endless(line: socket.socket) -> None:
    """Send until the connection breaks, for 20 seconds at most."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        line.sendall(b"x" * MEGABYTE)


def test_what_never_stops_sending_is_not_read_for_long(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER", 0.2)
    behind.refuses = True
    with behind.line(length=2**40) as line, pytest.raises(ConnectionError):
        endless(line)
