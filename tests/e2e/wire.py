"""Requests to the machines' port as they are written here, byte for byte: no client in between to put them right."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import BadStatusLine, HTTPResponse
from pathlib import Path

from tests.lines import send
from tests.portal_process import Portal

LIMIT = 30  # seconds for an answer


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 when the connection was ended without an answer."""

    status: int
    body: bytes = b""


REFUSED_BY_TLS = Answer(0)


def context(portal: Portal, pair: Path | None) -> ssl.SSLContext:
    """TLS as machines speak it, with the certificate and key in one PEM file, or without any."""
    made = ssl.create_default_context(cafile=str(portal.data / "pki" / "root.pem"))
    if pair:
        made.load_cert_chain(pair)
    return made


@contextmanager
def connected(portal: Portal, pair: Path | None) -> Iterator[ssl.SSLSocket]:
    """A connection to the machines' port."""
    with (
        socket.create_connection(("127.0.0.1", portal.edge_port), timeout=LIMIT) as plain,
        context(portal, pair).wrap_socket(plain, server_hostname="localhost") as connection,
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
    """The next answer on a connection."""
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
