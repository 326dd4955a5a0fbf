"""What a hostile portal or storage answers fills no memory, and holds nobody up without end."""

import gzip
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from strongroom_agent.portal import answers


class Hostile(BaseHTTPRequestHandler):
    """Answers with what its path names."""

    def do_GET(self) -> None:
        body = {"/plain": b"{}", "/long": b"x" * 5000, "/bomb": gzip.compress(bytes(5_000_000), mtime=0)}.get(
            self.path, b""
        )
        self.send_response(200)
        if self.path == "/bomb":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body) or 1000))
        self.end_headers()
        self.wfile.write(body)
        while self.path == "/drip":
            try:
                self.wfile.write(b"x")
            except OSError:
                break
            time.sleep(0.02)  # as somebody does who wants to hold others up

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def read(url: str, **bounds: float) -> bytes:
    with httpx.stream("GET", url, headers=answers.PLAIN, trust_env=False) as response:
        return answers.read(response, **bounds)  # type: ignore[arg-type]


def test_what_is_within_bounds_is_read(hostile: str) -> None:
    assert answers.parsed(read(f"{hostile}/plain")) == {}
    assert read(f"{hostile}/long", most=5000) == b"x" * 5000


def test_a_longer_answer_is_not_read_to_its_end(hostile: str) -> None:
    with pytest.raises(httpx.ReadError, match="longer than 4999 bytes"):
        read(f"{hostile}/long", most=4999)


def test_nothing_is_unpacked(hostile: str) -> None:
    packed = read(f"{hostile}/bomb", most=10_000)
    assert packed == gzip.compress(bytes(5_000_000), mtime=0)
    with pytest.raises(ValueError, match="decode"):
        answers.parsed(packed)


def test_an_answer_that_drips_ends(hostile: str) -> None:
    with pytest.raises(httpx.ReadTimeout, match="does not end"):
        read(f"{hostile}/drip", seconds=0.2)


def test_json_as_deep_as_a_well_is_none() -> None:
    with pytest.raises(ValueError, match="too deeply"):
        answers.parsed(b"[" * 200_000)
