"""A small HTTP client over a unix socket or a port, with connections that are kept."""

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class Unexpected(Exception):
    """The site did not answer what the bench needs to measure the right thing."""


@dataclass(frozen=True)
class Answer:
    """A whole response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass(frozen=True)
class Ask:
    """A request, and what its answer must be for the measurement to mean something."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    status: int = 200
    contains: str = ""

    def check(self, answer: Answer) -> None:
        """Raise Unexpected unless the answer has the status and the text."""
        if answer.status != self.status:
            shown = answer.body[:300].decode(errors="replace")
            raise Unexpected(f"{self.method} {self.path}: {answer.status} where {self.status} was expected: {shown}")
        if self.contains.encode() not in answer.body:
            raise Unexpected(f"{self.method} {self.path}: {self.contains!r} is not in the answer")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Client:
    """Asks one site, over a few kept connections in turn, so that all its workers get their share."""

    def __init__(self, address: Path | int, connections: int = 4) -> None:
        self._connections = [
            _UnixConnection(address)
            if isinstance(address, Path)
            else http.client.HTTPConnection("localhost", address, timeout=60)
            for _ in range(connections)
        ]
        self._turn = 0

    def send(self, ask: Ask) -> Answer:
        """One request and its checked answer; raises Unexpected and what sockets raise."""
        self._turn = (self._turn + 1) % len(self._connections)
        connection = self._connections[self._turn]
        try:
            answer = _exchange(connection, ask)
        except ConnectionError:  # the server closes what was idle for half a minute
            connection.close()
            answer = _exchange(connection, ask)
        ask.check(answer)
        return answer

    def is_answered(self) -> bool:
        """Whether somebody listens there."""
        try:
            self._connections[0].connect()
        except OSError:
            return False
        self._connections[0].close()
        return True

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()


def _exchange(connection: http.client.HTTPConnection, ask: Ask) -> Answer:
    connection.request(ask.method, ask.path, ask.body, {"Host": "localhost", **ask.headers})
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())
