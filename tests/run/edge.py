"""The real Caddy with our configuration; web, gate and gateway behind it only note what they were asked."""

import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone

from deploy.runner import edge as configuration
from portal import settings
from portal.edge import files
from portal.pki import authorities
from portal.pki.crypto import issuing, keys
from portal.pki.crypto.certificates import Kind, Profile
from tests.lines import received, send
from tests.ports import free_port
from tests.waiting import wait_for

REPOSITORY = "/local-a/6b8f9d8e-0000-4000-8000-000000000001/6b8f9d8e-0000-4000-8000-000000000002"
SECRET = "what the edge shows the web"
HANG_UP = 0  # instead of a status: the backend ends the connection


@dataclass
class Asked:
    """One request as it reached a backend; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Backend:
    """A server on a unix socket: `answer` is its status for the next requests, `asked` what came."""

    asked: list[Asked] = field(default_factory=list)
    answer: int = 204

    @contextmanager
    def listening(self, path: Path) -> Iterator[None]:
        """Serve until the block ends."""
        with _Server(str(path), _handler(self)) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()
                path.unlink()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """The edge may hang up on us, as it does on a body that is too long."""


def _handler(backend: Backend) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def parse_request(self) -> bool:
            parsed = super().parse_request()
            if parsed:
                self._serve()
            return False  # we have answered ourselves, whatever the method

        def _serve(self) -> None:
            body = self._body()
            headers = {name.lower(): value for name, value in self.headers.items()}
            backend.asked.append(Asked(self.command, self.path, headers, body))
            self.close_connection = backend.answer == HANG_UP
            if self.close_connection:
                return
            self.send_response(backend.answer)
            self.send_header("Location", "/accounts/login/")
            if backend.answer != 204:
                self.send_header("Content-Length", "0")
            self.end_headers()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size + 2)[:size]
            self.rfile.readline()
            return body

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            self.close_connection = not self.raw_requestline
            if self.raw_requestline:
                self.parse_request()

        def address_string(self) -> str:
            return "edge"

        def log_message(self, format: str, *arguments: object) -> None:
            return

    return Handler


@dataclass
class Edge:
    """A running Caddy and what is behind it."""

    folder: Path
    port: int
    edge_port: int
    web: Backend
    gate: Backend
    gateway: Backend
    pid: int = 0

    def people(self, *lines: str) -> bytes:
        """The answer of people's port to a request written out line by line."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            return _exchange(connection, lines)

    def machine(self, *lines: str, certificate: bool = False) -> bytes:
        """The same at the machines' port, with a client certificate or without."""
        with self.machines_line(certificate) as connection:
            return _exchange(connection, lines)

    @contextmanager
    def machines_line(
        self, certificate: bool = False, protocols: Sequence[str] = ("http/1.1",)
    ) -> Iterator[ssl.SSLSocket]:
        """A connection to the machines' port."""
        context = ssl.create_default_context(cafile=str(self.folder / "pki" / "root.pem"))
        context.set_alpn_protocols(list(protocols))
        if certificate:
            context.load_cert_chain(self.folder / "machine.pem", self.folder / "machine.key")
        with (
            socket.create_connection(("127.0.0.1", self.edge_port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            yield connection

    def forget(self) -> None:
        """Begin a test with backends that were asked nothing."""
        self.web.asked.clear()
        self.gate.asked.clear()
        self.gateway.asked.clear()
        self.web.answer = self.gate.answer = 204
        self.gateway.answer = 200


def _exchange(connection: socket.socket, lines: tuple[str, ...]) -> bytes:
    request = "\r\n".join([lines[0] + " HTTP/1.1", "Host: localhost", "Connection: close", *lines[1:]])
    send(connection, request.encode() + (b"" if "\r\n\r\n" in request else b"\r\n\r\n"))
    return received(connection)


@contextmanager
def running_edge(change: Callable[[str], None]) -> Iterator[Edge]:
    """Caddy on free ports with the region local-a; `change` is called with the folder before it starts."""
    folder = Path(tempfile.mkdtemp(prefix="sr-", dir="/tmp"))
    edge = Edge(folder, free_port(), free_port(), Backend(), Backend(), Backend())
    with pytest.MonkeyPatch.context() as patch:
        _point_settings(patch, edge)
        _make_files(edge)
        change(str(folder))
        (folder / "edge" / "Caddyfile").write_text(configuration.caddyfile(["local-a"]))
    caddy = os.environ.get("CADDY") or str(Path(sys.executable).parent / "caddy")
    command = [caddy, "run", "--adapter", "caddyfile", "--config", str(folder / "edge" / "Caddyfile")]
    with (
        edge.web.listening(folder / "run" / "web.sock"),
        edge.gate.listening(folder / "run" / "gate.sock"),
        edge.gateway.listening(folder / "run" / "gateway-local-a.sock"),
        (folder / "caddy.log").open("w") as log,
        subprocess.Popen(command, env={**os.environ, "STRONGROOM_EDGE_SECRET": SECRET}, stderr=log) as process,
    ):
        wait_for("Caddy to listen", lambda: _listens(edge.edge_port) and _listens(edge.port))
        edge.pid = process.pid
        yield edge
        process.terminate()
    shutil.rmtree(folder)


def _point_settings(patch: pytest.MonkeyPatch, edge: Edge) -> None:
    folder = edge.folder
    for name in ("run", "edge", "pki", "static", "agents"):
        (folder / name).mkdir()
    values = {
        "DATA": folder,
        "RUN": folder / "run",
        "PKI": folder / "pki",
        "STATIC_ROOT": folder / "static",
        "AGENT_PACKAGES": folder / "agents",
        "GATE_SOCKET": str(folder / "run" / "gate.sock"),
        "GATEWAY_SOCKET": str(folder / "run" / "gateway-{region}.sock"),
        "PORT": edge.port,
        "EDGE_PORT": edge.edge_port,
        "HTTPS": False,
        "PORTAL_URL": f"http://localhost:{edge.port}",
        "EDGE_URL": f"https://localhost:{edge.edge_port}",
    }
    for name, value in values.items():
        patch.setattr(settings, name, value)


def _make_files(edge: Edge) -> None:
    now = timezone.now()
    files.prepare(edge.folder / "pki", f"https://localhost:{edge.edge_port}", now)
    key = keys.new_key()
    profile = Profile(Kind.MACHINE, uuid4())
    leaf = issuing.issue_client(
        authorities.client_authority(), key.public_key(), profile, at=now, until=now + timedelta(days=7)
    )
    (edge.folder / "machine.pem").write_text(authorities.client_chain_pem(leaf))
    (edge.folder / "machine.key").write_text(keys.private_pem(key))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
