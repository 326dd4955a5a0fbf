"""What a stranger can have the edge hold: little, and not for long; and what it tells them of what is behind it."""

import resource
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.lines import header, received, send, status
from tests.run.edge import REPOSITORY, Edge, running_edge
from tests.waiting import wait_for

pytestmark = pytest.mark.system
STALLED = 250
IDLE = 1000
IDLE_MAY_GROW = 100 * 2**20  # bytes of memory; 40 MiB were seen
ANNOUNCED, SENT = 2_097_052, 2_092_152  # bytes, as in the flood that was once let in
EACH_MAY_COST = 400 * 2**10  # bytes of memory at the peak; 285 KiB were seen, of which 256 are what may be kept
BODY_LIMIT = 30  # seconds
MESSAGE_LIMIT = 20  # seconds


@pytest.fixture(scope="module")
def one_edge() -> Iterator[Edge]:
    with running_edge(lambda folder: None) as edge:
        yield edge


@pytest.fixture
def edge(one_edge: Edge) -> Edge:
    """It, with nothing asked yet."""
    one_edge.forget()
    return one_edge


def resident(edge: Edge) -> int:
    """Bytes of memory that the edge holds."""
    text = Path(f"/proc/{edge.pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Rss:"))


@contextmanager
def growing(edge: Edge, most: int) -> Iterator[None]:
    """Fails when the edge holds `most` bytes more, at whatever moment of the block, than before it."""
    Path(f"/proc/{edge.pid}/clear_refs").write_text("5")  # the peak begins anew, see proc_pid_clear_refs(5)
    before = resident(edge)
    yield
    status_of = Path(f"/proc/{edge.pid}/status").read_text()
    grown = int(status_of.partition("VmHWM:")[2].split()[0]) * 1024 - before
    assert grown < most, f"{grown / 2**20:.0f} MiB"


def form(length: int, sent: int) -> bytes:
    """The beginning of a sign-in: `sent` bytes of a body of `length`."""
    head = f"POST /accounts/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + b"a" * sent


def ended(line: socket.socket) -> bool:
    """Whether the edge has ended the connection; reads away what it answered."""
    try:
        while True:
            if not line.recv(65536):
                return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def stalled(edge: Edge, lines: ExitStack, length: int, sent: int) -> socket.socket:
    """A connection that has sent a part of a body, as far as the edge let it, and is silent from now on."""
    line = lines.enter_context(socket.create_connection(("127.0.0.1", edge.port), timeout=30))
    send(line, form(length, sent))
    line.setblocking(False)
    return line


def test_stalled_bodies_cost_little_and_end(edge: Edge) -> None:
    """However long they say that they are: memory stays bounded, and all connections are ended within the limit."""
    with growing(edge, 3 * STALLED * EACH_MAY_COST), ExitStack() as lines:
        opened = [stalled(edge, lines, ANNOUNCED, SENT) for _ in range(STALLED)]
        opened += [stalled(edge, lines, 262_000, 261_900) for _ in range(STALLED)]
        opened += [stalled(edge, lines, 262_000, 3) for _ in range(STALLED)]
        assert status(edge.people("GET /vaults/")) == 204
        wait_for("the edge to end them all", lambda: all(map(ended, opened)), seconds=BODY_LIMIT + 10)
    assert [asked.path for asked in edge.web.asked] == ["/vaults/"]


@contextmanager
def many_files(wanted: int) -> Iterator[None]:
    """This process may have so many files open meanwhile; skips where it must not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        pytest.skip(f"this process may have no more than {hard} files open, and {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_idle_connections_cost_little(edge: Edge) -> None:
    """From one address, at each port: the edge has no bound on their number, so each has to be cheap."""
    with growing(edge, IDLE_MAY_GROW), many_files(2 * IDLE + 200), ExitStack() as lines:
        for _ in range(IDLE):
            lines.enter_context(socket.create_connection(("127.0.0.1", edge.port), timeout=30))
            lines.enter_context(edge.machines_line())
        assert status(edge.people("GET /vaults/")) == 204
        assert status(edge.machine(f"GET {REPOSITORY}/config", certificate=True)) == 200


def test_stalled_messages_of_machines_cost_little(edge: Edge) -> None:
    """They are shorter still."""
    head = "POST /api/v1/agent/register HTTP/1.1\r\nHost: localhost\r\nContent-Length: 131000\r\n\r\n"
    with growing(edge, STALLED * EACH_MAY_COST), ExitStack() as lines:
        for _ in range(STALLED):
            lines.enter_context(edge.machines_line()).sendall(head.encode() + b"a" * 130_000)
        assert status(edge.machine("POST /api/v1/agent/runs", "Content-Length: 0")) == 204
        edge.web.asked.clear()
    assert edge.web.asked == []


AGENT = "POST /api/v1/agent/register"
OBJECT = f"POST {REPOSITORY}/data/{'0' * 64}"


def trickled(edge: Edge, line: str, framing: str, piece: bytes) -> tuple[int, float]:
    """Status and seconds until the edge hangs up on a machine that sends a piece of the body every half second."""
    with edge.machines_line(certificate=True) as connection:
        began = time.monotonic()
        send(connection, f"{line} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n".encode())
        connection.settimeout(0.5)
        answer = b""
        while time.monotonic() - began < MESSAGE_LIMIT + 15:
            try:
                if not (part := connection.recv(65536)):
                    return status(answer), time.monotonic() - began
                answer += part
            except TimeoutError:
                send(connection, piece)
            except ConnectionError:  # it has hung up, and got one piece more
                return status(answer), time.monotonic() - began
    return 0, time.monotonic() - began


def test_messages_that_do_not_come_to_an_end_are_ended(edge: Edge) -> None:
    """All of the machines' port but objects that are let in, whether anybody reads the body or not."""
    length, chunks = "Content-Length: 1000", "Transfer-Encoding: chunked"
    cases = {
        ("silent", AGENT, length, b""): 408,
        ("slow", AGENT, length, b"a"): 408,
        ("at the very end", AGENT, "Content-Length: 43", b"a"): 408,
        ("waiting for leave", AGENT, f"{length}\r\nExpect: 100-continue", b""): 100,
        ("silent chunks", AGENT, chunks, b""): 408,
        ("chunks without end", AGENT, chunks, b"1\r\na\r\n"): 408,
        ("an extension without end", AGENT, chunks, b"1;a"): 408,
        ("trailers without end", AGENT, chunks, b"0\r\nX: "): 408,
        ("a body that nobody reads", "POST /elsewhere", length, b"a"): 404,
        ("a body of a question", "GET /health/live", length, b"a"): 200,
    }
    with ThreadPoolExecutor(len(cases)) as pool:
        ends = dict(zip(cases, pool.map(lambda case: trickled(edge, *case[1:]), cases), strict=True))
    assert {case: code for case, (code, _) in ends.items()} == cases
    assert {case: seconds for case, (_, seconds) in ends.items() if not seconds < MESSAGE_LIMIT + 3} == {}


def test_an_object_may_take_longer(edge: Edge) -> None:
    """Half a minute and more, as on slow lines."""
    code, seconds = trickled(edge, OBJECT, "Connection: close\r\nContent-Length: 50", b"a")
    assert code == 200
    assert seconds > MESSAGE_LIMIT + 3
    assert [asked.body for asked in edge.gateway.asked] == [b"a" * 50]


def test_a_slow_form_comes_through(edge: Edge) -> None:
    """A person on a bad line: a byte now and then, but all of it within the limit."""
    body = b"username=staff"
    with socket.create_connection(("127.0.0.1", edge.port), timeout=BODY_LIMIT) as line:
        line.sendall(form(len(body), 0))
        for byte in body:
            time.sleep(0.5)
            line.sendall(bytes([byte]))
        assert status(line.recv(65536)) == 204
    assert [asked.body for asked in edge.web.asked] == [body]


@pytest.mark.parametrize("length", [262_145, 300_000, 999_999, 1_000_000, 10**12])
def test_what_says_that_it_is_too_long_is_not_waited_for(edge: Edge, length: int) -> None:
    """Nor asked about at the web."""
    with socket.create_connection(("127.0.0.1", edge.port), timeout=BODY_LIMIT + 10) as line:
        send(line, form(length, 300_000))
        assert status(received(line)) == 413
    assert edge.web.asked == []


@pytest.mark.parametrize("body", [b"zz\r\nabc\r\n", b"-1\r\n\r\n", b"3\r\nabcX0\r\n\r\n", b"f" * 17 + b"\r\nabc"])
@pytest.mark.parametrize("machine", [False, True])
def test_a_body_that_cannot_be_read_is_the_clients_fault(edge: Edge, body: bytes, machine: bool) -> None:
    """400, not the word that the portal is being restarted."""
    rest = "Transfer-Encoding: chunked\r\n\r\n" + body.decode()
    answer = edge.machine("POST /api/v1/agent/runs", rest) if machine else edge.people("POST /accounts/login/", rest)
    assert status(answer) == 400
    assert header(answer, "Retry-After") is None
    assert edge.web.asked == []


@pytest.mark.parametrize("path", ["data/" + "0" * 64, "index/" + "0" * 64, "snapshots/" + "0" * 64])
def test_objects_say_their_length(edge: Edge, path: str) -> None:
    """The gateway would keep the beginning of a chunked one that breaks off."""
    chunked = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert status(edge.machine(f"POST {REPOSITORY}/{path}", chunked, certificate=True)) == 411
    assert edge.gate.asked == edge.gateway.asked == []


@pytest.mark.parametrize("length", ["0", "10", "31", "0031"])
@pytest.mark.parametrize("kind", ["index", "snapshots"])
def test_an_object_is_as_long_as_what_restic_seals(edge: Edge, kind: str, length: str) -> None:
    """restic stumbles over shorter ones for good."""
    body = f"Content-Length: {length}\r\n\r\n" + "a" * int(length)
    assert status(edge.machine(f"POST {REPOSITORY}/{kind}/{'0' * 64}", body, certificate=True)) == 400
    assert edge.gate.asked == edge.gateway.asked == []


def test_one_that_is_long_enough_is_asked_about(edge: Edge) -> None:
    body = "Content-Length: 32\r\n\r\n" + "a" * 32
    assert status(edge.machine(f"POST {REPOSITORY}/snapshots/{'0' * 64}", body, certificate=True)) == 200
    assert len(edge.gate.asked) == len(edge.gateway.asked) == 1


def test_another_host_is_not_served(edge: Edge) -> None:
    """Nor does the web hear of it, which would write a line for each."""
    for host in ("elsewhere.example", "localhost.example", "169.254.169.254"):
        with socket.create_connection(("127.0.0.1", edge.port), timeout=10) as line:
            line.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert status(line.recv(65536)) == 400
    assert edge.web.asked == []


def test_nobody_is_told_what_runs_here(edge: Edge) -> None:
    """Neither the edge nor what is behind it, in answers of each kind."""
    answers = [
        edge.people("GET /vaults/"),
        edge.people("GET /static/missing"),
        edge.people("GET /gateway"),
        edge.machine("POST /api/v1/agent/runs", "Content-Length: 0"),
        edge.machine(f"GET {REPOSITORY}/config", certificate=True),
        edge.machine("GET /elsewhere"),
    ]
    edge.web.answer = edge.gate.answer = 500
    answers += [edge.people("GET /vaults/"), edge.machine(f"GET {REPOSITORY}/config", certificate=True)]
    assert [(header(answer, "Server"), header(answer, "Via")) for answer in answers] == [(None, None)] * len(answers)


PRIOR_KNOWLEDGE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


def test_there_is_no_http_2_on_the_machines_port(edge: Edge) -> None:
    """One connection would have room for 250 requests, and bulk costs both ends a third more. Not by prior knowledge
    either."""
    with edge.machines_line(protocols=["h2", "http/1.1"]) as line:
        assert line.selected_alpn_protocol() == "http/1.1"
    with edge.machines_line() as line:
        send(line, PRIOR_KNOWLEDGE)
        assert not received(line).startswith(b"\0\0")


def test_without_tls_there_is_no_http_2(edge: Edge) -> None:
    """Not by prior knowledge either: 250 requests in one connection would be 250 bodies to hold."""
    with socket.create_connection(("127.0.0.1", edge.port), timeout=10) as line:
        send(line, PRIOR_KNOWLEDGE)
        assert not received(line).startswith(b"\0\0")
