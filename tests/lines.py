"""Requests on a bare connection to a server that may answer and hang up before it has read all; and its answers."""

import socket
from contextlib import suppress


def send(line: socket.socket, request: bytes) -> None:
    """Send the request, or as much of it as is taken: the answer of a server that hung up early is still to be read."""
    with suppress(OSError):  # broken pipe, reset, or what TLS makes of them
        line.sendall(request)


def received(line: socket.socket) -> bytes:
    """All that comes until the server hangs up, be it by a reset behind its answer; raises TimeoutError as `recv`."""
    answer = b""
    with suppress(ConnectionError):
        while part := line.recv(65536):
            answer += part
    return answer


def status(answer: bytes) -> int:
    """The status of an answer."""
    return int(answer.split()[1])


def header(answer: bytes, name: str) -> str | None:
    """One header of an answer."""
    for line in answer.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]:
        if line.lower().startswith(f"{name.lower()}:"):
            return line.partition(":")[2].strip()
    return None
