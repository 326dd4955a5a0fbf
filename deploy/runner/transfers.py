"""What the relay knows of a request and its answer, and how it asks the gate about those that are under way."""

import json
import os
import re
import socket
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from deploy.runner.readiness import Unix

LONGEST_HEAD = 64 * 1024  # bytes; the edge takes 32 KiB from clients
READING = ("GET", "HEAD")
PATIENCE = 5.0  # seconds for an answer of the gate
STALLED = 60.0  # seconds for which an upload may stand still
_NAMES = (b"x-forwarded-method", b"x-forwarded-uri", b"x-client-serial", b"x-client-fingerprint")
_LENGTH = re.compile(rb"[0-9]{1,15}")

Asked = tuple[str, str, str, str]
"""What the edge asked when the transfer began: method, address, serial and fingerprint of the certificate."""


@dataclass(frozen=True)
class Head:
    """The beginning of a request: its size in bytes, the length of what follows, and what the edge had asked.

    `asked` is None for a request that no machine made: health asks whether anybody answers here.
    """

    method: str
    size: int
    length: int
    asked: Asked | None

    @property
    def reads(self) -> bool:
        """Whether it changes nothing in the region. Health, which asks by OPTIONS, wants to hear of storing, too."""
        return self.method in READING

    @property
    def folder(self) -> str | None:
        """`/region/vault/machine`, as the edge has asked about it: whoever may go in there is that machine."""
        return None if self.asked is None else "/".join(self.asked[1].split("/")[:4])

    @classmethod
    def of(cls, received: bytes) -> "Head | None":
        """From the first bytes of a connection; None while the head is not complete."""
        head, end, _ = received.partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.split(b"\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        length = fields.get(b"content-length", b"")
        given = [fields.get(name, b"").decode("latin-1") for name in _NAMES]
        return cls(
            first.split(b" ")[0].decode("latin-1"),
            len(head) + len(end),
            int(length) if _LENGTH.fullmatch(length) else 0,
            (given[0], given[1], given[2], given[3]) if all(given) else None,
        )


def unreadable(received: bytes) -> bool:
    """Whether this is no beginning of a request that the edge would send."""
    return len(received) > LONGEST_HEAD and b"\r\n\r\n" not in received


@dataclass(eq=False)
class Way:
    """One direction of a transfer: what could not be sent yet waits here, and nothing more is read meanwhile."""

    source: socket.socket
    target: socket.socket
    waiting: bytes = b""


@dataclass(eq=False)
class Transfer:
    """One request and its answer."""

    edge: socket.socket
    head: bytes = b""
    request: Head | None = None
    rclone: socket.socket | None = None
    up: Way | None = None
    down: Way | None = None
    left: int = 0  # bytes of the upload that have not come yet
    answered: bool = False
    unheard: bool = False  # rclone has hung up, so the rest of the upload goes nowhere
    ends: float | None = None  # by time.monotonic(): it is over, and only read to its end
    moved: float = field(default_factory=time.monotonic)

    @property
    def folder(self) -> str | None:
        """The machine's, see Head."""
        return self.request.folder if self.request else None

    def stands_still(self, now: float) -> bool:
        """Whether the client has sent nothing for too long, though rclone would take it."""
        if now - self.moved <= STALLED or (self.up is not None and self.up.waiting):
            return False
        return self.left > 0 or self.request is None


AT_ONCE = 1000  # questions in one request: far below what Django takes as a body


@dataclass(frozen=True)
class Gate:
    """The gate, asked over its socket with the edge's secret."""

    socket: Path
    secret: str

    def ask(self, asked: list[Asked]) -> list[int] | None:
        """The status of each; None when there is no answer just now."""
        told: list[int] = []
        for first in range(0, len(asked), AT_ONCE):
            part = self._ask(asked[first : first + AT_ONCE])
            if part is None:
                return None
            told += part
        return told

    def _ask(self, asked: list[Asked]) -> list[int] | None:
        connection = Unix(self.socket, PATIENCE)
        headers = {"X-Edge-Secret": self.secret, "Content-Type": "application/json"}
        try:
            connection.request("POST", "/gateway/transfers", json.dumps(asked), headers)
            answer = connection.getresponse()
            told = json.loads(answer.read()) if answer.status == 200 else None
            return [int(status) for status in told] if isinstance(told, list) else None
        except (OSError, HTTPException, ValueError, TypeError):
            return None
        finally:
            connection.close()

    @classmethod
    def at(cls, socket: Path) -> "Gate":
        """The gate at `socket`, with the secret that the environment has for the edge."""
        return cls(socket, os.environ.get("STRONGROOM_EDGE_SECRET", ""))
