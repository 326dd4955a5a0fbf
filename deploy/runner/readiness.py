"""Asking the portal whether it is ready, and telling which part is not."""

import json
import socket
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

TIMEOUT = 3.0  # seconds for one answer
TAIL = 15  # lines of a log


class Unix(HTTPConnection):
    """HTTP to a unix socket."""

    def __init__(self, path: Path, timeout: float = TIMEOUT) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True)
class Health:
    """What `/health/ready` said. `missing` are the parts that are not well, with what they lack."""

    ready: bool
    missing: dict[str, str] = field(default_factory=dict)


def ask(web_socket: Path) -> Health:
    """The health of the portal, asked past the edge; a web process that does not answer is a finding like others."""
    connection = Unix(web_socket)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        document = json.loads(answer.read())
        missing = {name: str(part["detail"]) for name, part in document["parts"].items() if not part["ok"]}
        return Health(answer.status == 200, missing)
    except (OSError, HTTPException, ValueError, KeyError) as error:
        return Health(False, {"web": f"no answer ({type(error).__name__})"})
    finally:
        connection.close()


LOGS = {"broker": ["valkey"], "database": ["web"], "beat": ["worker"], "storage": ["storage", "gate"]}


def tail(logs: Path, part: str) -> list[str]:
    """The last lines of the logs of the processes behind the health's `part`."""
    lines: list[str] = []
    for prefix in LOGS.get(part, [part]):
        for path in sorted(logs.glob(f"{prefix}*.log")):
            text = path.read_text(errors="replace").splitlines()[-TAIL:]
            lines += [f"  {path.stem}: {line}" for line in text]
    return lines
