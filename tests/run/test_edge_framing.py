"""Where a request ends is for the edge alone to say: what it takes for a part of one never reaches the web as another.

Of two that disagree, the second request would be taken for another person's, and go past what the edge takes away.
"""

import socket
from collections.abc import Iterator

import pytest

from tests.lines import received, send
from tests.run.edge import Edge, running_edge

pytestmark = pytest.mark.system
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\nX-Real-IP: 198.51.100.9\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def one_edge() -> Iterator[Edge]:
    with running_edge(lambda folder: None) as edge:
        yield edge


@pytest.fixture
def edge(one_edge: Edge) -> Edge:
    """It, with nothing asked yet."""
    one_edge.forget()
    return one_edge


def statuses(edge: Edge, framing: str, rest: bytes) -> list[int]:
    """Of all the answers on one connection to a POST with the framing's headers and the rest behind them."""
    with socket.create_connection(("127.0.0.1", edge.port), timeout=30) as line:
        send(line, f"POST /first HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n".encode() + rest)
        answers = received(line)
    return [int(start.split()[1]) for start in answers.split(b"\r\n") if start.startswith(b"HTTP/1.1 ")]


def reached(edge: Edge) -> list[tuple[str, str, bytes, str]]:
    """What came to the web: method, path, body, and the address that the edge said."""
    return [(asked.method, asked.path, asked.body, asked.headers["x-real-ip"]) for asked in edge.web.asked]


@pytest.mark.parametrize(
    ("framing", "status"),
    [
        ("Content-Length: 6\r\nContent-Length: 60", 400),
        ("Content-Length: 6, 6", 400),
        ("Content-Length: +6", 400),
        ("Content-Length: 0x6", 400),
        ("Transfer-Encoding : chunked", 400),
        ("Transfer-Encoding:\x0bchunked", 400),
        (" Transfer-Encoding: chunked", 400),
        ("Transfer-Encoding: xchunked", 501),
        ("Transfer-Encoding: chunked, identity", 501),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 501),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(edge: Edge, framing: str, status: int) -> None:
    """With one answer, and neither request reaches the web."""
    assert statuses(edge, framing, b"0\r\n\r\n" + HIDDEN) == [status]
    assert reached(edge) == []


@pytest.mark.parametrize(
    "framing",
    ["Content-Length: 6\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 6"],
)
def test_chunks_win_over_a_length(edge: Edge, framing: str) -> None:
    """As RFC 9112 has it: there are two requests, the edge judges both, and passes the first on with a length."""
    assert statuses(edge, framing, b"0\r\n\r\n" + HIDDEN) == [204, 204]
    assert reached(edge) == [("POST", "/first", b"", "127.0.0.1"), ("GET", "/hidden", b"", "127.0.0.1")]
    first = edge.web.asked[0].headers
    assert (first.get("content-length"), first.get("transfer-encoding")) == ("0", None)


def test_a_request_in_a_body_stays_in_it(edge: Edge) -> None:
    """However the body's end is told."""
    length = f"Content-Length: {len(HIDDEN)}\r\nConnection: close"
    assert statuses(edge, length, HIDDEN) == [204]
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
    assert statuses(edge, "Transfer-Encoding: chunked\r\nConnection: close", chunks) == [204]
    assert reached(edge) == [("POST", "/first", HIDDEN, "127.0.0.1")] * 2
