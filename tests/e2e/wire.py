"""Requests to the machines' port as they are written here, byte for byte: no client in between to put them right."""

import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import BadStatusLine, HTTPResponse
from pathlib import Path

import h2.config
import h2.connection
import h2.events

from tests.lines import send
from tests.portal_process import Portal

LIMIT = 30  # seconds for an answer
Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 when the connection was ended without an answer."""

    status: int
    body: bytes = b""


REFUSED_BY_TLS = Answer(0)


def context(portal: Portal, pair: Path | None, protocol: str = "http/1.1") -> ssl.SSLContext:
    """TLS as machines speak it, with the certificate and key in one PEM file, or without any."""
    made = ssl.create_default_context(cafile=str(portal.data / "pki" / "root.pem"))
    made.set_alpn_protocols([protocol])
    if pair:
        made.load_cert_chain(pair)
    return made


@contextmanager
def connected(portal: Portal, pair: Path | None, protocol: str = "http/1.1") -> Iterator[ssl.SSLSocket]:
    """A connection to the machines' port."""
    with (
        socket.create_connection(("127.0.0.1", portal.edge_port), timeout=LIMIT) as plain,
        context(portal, pair, protocol).wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        yield connection


def ask(portal: Portal, pair: Path | None, request: bytes) -> Answer:
    """The answer to one request on a connection of its own; REFUSED_BY_TLS when there was no speaking at all."""
    try:
        with connected(portal, pair) as connection:
            send(connection, request)
            return read_answer(connection, request.split(b" ")[0])
    except (ssl.SSLError, ConnectionError):
        return REFUSED_BY_TLS


def read_answer(connection: ssl.SSLSocket, method: bytes = b"GET") -> Answer:
    """The next answer on a connection that speaks HTTP/1.1."""
    answer = HTTPResponse(connection, method=method.decode("latin-1"))
    try:
        answer.begin()
        return Answer(answer.status, answer.read())
    except BadStatusLine:
        return Answer(0)
    finally:
        answer.close()


def request(line: str | bytes, *headers: str, body: bytes = b"") -> bytes:
    """One request as bytes: `line` without the protocol's name, headers as `Name: value`."""
    first = line if isinstance(line, bytes) else line.encode()
    length = [f"Content-Length: {len(body)}"] if body else []
    rest = [one.encode() for one in ("Host: localhost", *length, *headers)]
    return b"\r\n".join([first + b" HTTP/1.1", *rest, b"", body])


class Http2:
    """One connection that speaks HTTP/2 and checks nothing of what it is told to send."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self.connection = connection
        unchecked = h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        self.state = h2.connection.H2Connection(unchecked)
        self.state.initiate_connection()
        self._send()

    def ask(self, method: str, path: str | bytes, more: Headers = (), body: bytes = b"") -> Answer:
        """The answer to a request with these pseudo-headers and `more` after them; status 0 for a reset."""
        raw = path if isinstance(path, bytes) else path.encode()
        pseudo = [(b":method", method.encode()), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", raw)]
        length = [(b"content-length", str(len(body)).encode())] if body else []
        stream = self.state.get_next_available_stream_id()
        self.state.send_headers(stream, [*pseudo, *length, *more], end_stream=not body)
        if body:
            self.state.send_data(stream, body, end_stream=True)
        self._send()
        return self._answer(stream)

    def _send(self) -> None:
        self.connection.sendall(self.state.data_to_send())

    def _answer(self, stream: int) -> Answer:
        status, body = 0, b""
        while received := self.connection.recv(65536):
            for event in self.state.receive_data(received):
                if getattr(event, "stream_id", stream) != stream:
                    continue
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                elif isinstance(event, (h2.events.StreamEnded, h2.events.ConnectionTerminated)):
                    return Answer(status, body)
                elif isinstance(event, h2.events.StreamReset):
                    return Answer(0, body)
            self._send()
        return Answer(0)
