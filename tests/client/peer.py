"""A small portal and edge for the agent's tests: real TLS, real signatures, real rclone behind it.

It speaks docs/protocol.md from the other side and shares no code with the agent. `Faults` let a test
lose answers, take regions away and refuse machines.
"""

import hashlib
import http.client
import json
import socket
import ssl
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .authority import Authority, stamp
from .cheap_key import PASSPHRASE, cheap
from .signed import Verified, verify
from .trash import Retention, stored_at

REGIONS = {"local-a": "Local A", "local-b": "Local B"}
CODES = {
    "machine_exists": 409,
    "clock_skew": 400,
    "not_allowed": 403,
    "invalid": 422,
    "vault_not_active": 409,
    "unavailable": 503,
    "not_found": 404,
}
# As the portal says it.
PLACE_TAKEN = (
    "This computer's place was taken by another one on 22 Nov 2026, 17:40 UTC; its certificate was revoked at"
    " 22 Nov 2026, 17:39 UTC.",
    "Run strongroom-agent unregister --forget on this computer; the passphrase is kept. To back it up as"
    " well, then run setup with new vault credentials, as a new machine under another name.",
)


class Problem(Exception):
    """A refusal in the protocol's form."""

    def __init__(self, code: str, detail: str = "Refused by the test.", remedy: str = "Do better.") -> None:
        super().__init__(detail)
        self.code = code
        self.body = {
            "code": code,
            "detail": f"{detail} {remedy}",
            "remedy": remedy,
            "title": "x",
            "type": "about:blank",
        }


@dataclass
class Faults:
    """What goes wrong: set by tests."""

    lost_answers: set[str] = field(default_factory=set)  # endpoints whose next answer is lost
    hangs: set[str] = field(default_factory=set)  # endpoints that never answer
    refuse: dict[str, Problem] = field(default_factory=dict)  # endpoint: refusal
    storage: dict[str, int] = field(default_factory=dict)  # region slug: HTTP status for all requests
    silent: bool = False  # the portal's part answers 503 without JSON
    renew_after: timedelta = timedelta(days=1)
    life: timedelta = timedelta(days=7)
    storage_content: bytes = b""  # what the storage answers instead, with status 200
    upload: int = 0  # status for uploads of data
    storage_pause: threading.Event | None = None  # uploads of data wait for it
    damaged: bool = False  # what the portal says of this machine's repository
    before_file: Callable[[], None] | None = None  # what happens before a file of a release is sent
    cuts: list[int] = field(default_factory=list)  # after so many bytes each a download breaks off, one by one


@dataclass
class Machine:
    """A registered machine, as the test portal remembers it."""

    id: str
    name: str
    public_keys: list[bytes]
    certificates: dict[bytes, str]
    state: str = "Registered"


class Peer:
    """The state of the test portal, and its server while it runs."""

    def __init__(self, authority: Authority, folder: Path, rclone: Path) -> None:
        self.authority, self.folder, self.rclone = authority, folder, rclone
        self.vault = {"id": str(uuid.uuid4()), "name": "Payroll", "subscription": "Default", "region": "Local A"}
        self.machines: dict[str, Machine] = {}
        self.replaced: Machine | None = None  # whose place the next registration takes
        self.taken: set[bytes] = set()  # keys of computers whose place was taken
        self.runs: dict[str, dict[str, Any]] = {}
        self.heartbeats: list[dict[str, Any]] = []
        self.progress: list[dict[str, Any]] = []  # what setups have told
        self.seen_jti: set[str] = set()
        self.requests: list[tuple[str, str]] = []
        self.faults = Faults()
        self.uploading = threading.Event()
        self.lock = threading.Lock()
        self.url = ""
        self.regions: Path | None = None  # the folder behind rclone, where objects can be moved to the trash
        self.retention: Retention | None = None  # an older portal has none
        self.named_roots = authority.roots  # what it says its roots are, to whoever asks
        self.release: dict[str, Any] | None = None  # what it answers about updates; an older portal has none
        self.files: dict[str, bytes] = {}  # of the release, by name
        self.codes: dict[str, bytes] = {}  # one-time codes, with the key that each was redeemed for

    def start(self) -> ThreadingHTTPServer:
        """Serve on a free port of 127.0.0.1; the caller shuts it down."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (self.folder / "edge.pem").write_text(self.authority.edge())
        context.load_cert_chain(self.folder / "edge.pem")
        context.load_verify_locations(cadata=self.authority.roots)
        context.verify_mode = ssl.CERT_OPTIONAL
        server = _Server(("127.0.0.1", 0), type("Bound", (_Handler,), {"peer": self}))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server

    def credential(self, **other: Any) -> dict[str, Any]:
        """A credential of this vault."""
        return self.authority.credential(self.url, **{"vault": self.vault, **other})

    def act(self, what: str, request: Verified) -> tuple[int, dict[str, Any]]:
        """Do what a signed request asks. Problem when it is refused."""
        if request.payload["jti"] in self.seen_jti:
            raise Problem("not_allowed", "The request was sent twice.")
        self.seen_jti.add(request.payload["jti"])
        if not storable(request.payload):
            raise Problem("not_allowed", "Its payload is not JSON.")
        if what in self.faults.refuse:
            raise self.faults.refuse[what]
        if what == "register":
            return self._register(request)
        machine = self._machine_of(request)
        if what == "renew":
            return 200, self._identity(machine, request.payload["csr"])
        if spki(request.certificate.public_key()) != machine.public_keys[-1]:
            raise Problem("not_allowed", "This certificate was renewed.")
        if what == "heartbeat":
            self.heartbeats.append(request.payload)
        if what == "progress":
            self.progress.append(request.payload)
            return 200, {"ok": True, "noted": True}
        if what == "retain":
            if self.retention is None:
                raise Problem("not_found")
            return 200, self.retention.respond(request.payload)
        if what == "update":
            if self.release is None:
                raise Problem("not_found")
            return 200, {"ok": True, **self.release}
        if what == "runs":
            self.runs[request.payload["run"]] = request.payload
        elif what == "unregister":
            machine.state = "Unregistered"
        return 200, {"ok": True, "state": machine.state, "renew": False, "damaged": self.faults.damaged}

    def redeem(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """A credential without its private key, to the key of the request."""
        asked = json.loads(body)
        assert json.dumps(asked, sort_keys=True, separators=(",", ":")).encode() == body
        if "redeem" in self.faults.refuse:
            raise self.faults.refuse["redeem"]
        key = spki(x509.load_pem_x509_csr(asked["csr"].encode()).public_key())
        if asked["code"] not in self.codes or asked["vault"] != self.vault["id"]:
            raise Problem("code_invalid")
        if self.codes[asked["code"]] not in {b"", key}:
            raise Problem("code_used")
        self.codes[asked["code"]] = key
        document = self.authority.credential(self.url, key=x509.load_pem_x509_csr(asked["csr"].encode()).public_key())
        fields = {n: v for n, v in document.items() if n not in {"signature", "private_key"}} | {"vault": self.vault}
        document = {**fields, "signature": self.authority.sign(fields)}
        return 201, document

    def may_use_storage(self, path: str, certificate: bytes | None) -> bool:
        """Whether a client certificate opens the folder of a path."""
        _, _, vault, machine, *_ = path.split("/")
        known = self.machines.get(machine)
        if certificate is None or known is None or known.state != "Registered" or vault != self.vault["id"]:
            return False
        return spki(x509.load_der_x509_certificate(certificate).public_key()) in known.public_keys

    def _register(self, request: Verified) -> tuple[int, dict[str, Any]]:
        name, key = request.payload["name"], spki(x509.load_pem_x509_csr(request.payload["csr"].encode()).public_key())
        if self.replaced is not None:
            machine, self.replaced = self.replaced, None
            self.taken.update(machine.public_keys)
            machine.public_keys.clear()
            return 201, self._identity(machine, request.payload["csr"])
        for machine in self.machines.values():
            if machine.name == name and machine.public_keys[0] == key:
                return 200, self._identity(machine, request.payload["csr"])
            if machine.name == name:
                raise Problem("machine_exists", f"A machine {name} is registered already.")
        machine = Machine(str(uuid.uuid4()), name, [], {})
        self.machines[machine.id] = machine
        return 201, self._identity(machine, request.payload["csr"])

    def _machine_of(self, request: Verified) -> Machine:
        for machine in self.machines.values():
            if spki(request.certificate.public_key()) in machine.public_keys:
                if machine.state != "Registered":
                    raise Problem("not_allowed", f"This machine is {machine.state}.")
                return machine
        if spki(request.certificate.public_key()) in self.taken:
            raise Problem("not_allowed", *PLACE_TAKEN)
        raise Problem("not_allowed", "No machine has this certificate.")

    def _identity(self, machine: Machine, csr: str) -> dict[str, Any]:
        key = spki(x509.load_pem_x509_csr(csr.encode()).public_key())
        if key not in machine.public_keys:
            machine.public_keys.append(key)
            machine.certificates[key] = self.authority.machine(csr, machine.id, self.faults.life)
        return {
            "machine": {"id": machine.id, "name": machine.name, "vault_id": self.vault["id"], "state": machine.state},
            "vault": self.vault,
            "certificate": machine.certificates[key],
            "ca_certificates": self.authority.roots,
            "renew_after": stamp(datetime.now(UTC) + self.faults.renew_after),
            "repositories": [
                {
                    "region": name,
                    "url": f"{self.url}/{slug}/{self.vault['id']}/{machine.id}/",
                    "read_only": slug != "local-a",
                }
                for slug, name in REGIONS.items()
            ],
        }


def storable(payload: dict[str, Any]) -> bool:
    """Whether all of it is text that a database takes: no half characters, no NUL."""
    text = json.dumps(payload, ensure_ascii=False)
    return "\\u0000" not in text and text == text.encode("utf-8", "replace").decode()


def spki(key: Any) -> bytes:
    """The identity of a public key."""
    return bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        """Reach the socket instead of a port."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up or fail TLS are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    peer: Peer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments: Any) -> None:
        """Silent."""

    def do_POST(self) -> None:
        """Signed requests, and uploads."""
        body = self._body()
        if self.path.startswith("/api/v1/agent/"):
            self._agent(self.path.removeprefix("/api/v1/agent/"), body)
        else:
            self._storage(body)

    def do_GET(self) -> None:
        """Reading and deleting in a repository; whom to trust."""
        if self.path == "/agents/root.pem":
            self._reply(200, self.peer.named_roots.encode(), "application/x-pem-file")
        elif self.path.startswith("/agents/files/"):
            self._file(self.path.removeprefix("/agents/files/"))
        else:
            self._storage(self._body())

    do_HEAD = do_DELETE = do_GET

    def _file(self, name: str) -> None:
        """A file of the release, from where it is wanted; broken off where a test says so."""
        self.peer.requests.append((self.headers.get("Range", ""), self.path))
        if (content := self.peer.files.get(name)) is None:
            return self._reply(404, b"", "text/plain")
        if self.peer.faults.before_file:
            self.peer.faults.before_file()
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        cut = self.peer.faults.cuts.pop(0) if self.peer.faults.cuts else None
        self.wfile.write(content[start:] if cut is None else content[start : start + cut])
        self.close_connection = cut is not None
        return None

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _agent(self, what: str, body: bytes) -> None:
        peer = self.peer
        if peer.faults.silent:
            return self._reply(503, b"nobody", "text/plain")
        if what in peer.faults.hangs:
            self.rfile.read(1)  # until the client has gone
            self.close_connection = True
            return None
        with peer.lock:
            peer.requests.append(("POST", what))
            try:
                if what == "redeem":
                    status, answer = peer.redeem(body)
                else:
                    request = verify(body, self.headers["Content-Type"], peer.url + self.path, peer.authority)
                    status, answer = peer.act(what, request)
                kind = "application/json"
            except Problem as problem:
                status, answer, kind = CODES.get(problem.code, 403), problem.body, "application/problem+json"
            if what in peer.faults.lost_answers:
                peer.faults.lost_answers.discard(what)
                self.close_connection = True
                return None
        return self._reply(status, json.dumps(answer).encode(), kind)

    def _storage(self, body: bytes) -> None:
        peer, region = self.peer, self.path.split("/")[1]
        peer.requests.append((self.command, self.path))
        if fault := peer.faults.storage.get(region):
            return self._reply(fault, b"", "text/plain")
        if peer.faults.storage_content:
            return self._reply(200, peer.faults.storage_content, "text/plain")
        if self.command == "POST" and "/data/" in self.path:
            peer.uploading.set()
            if peer.faults.storage_pause:
                peer.faults.storage_pause.wait(60)
            if peer.faults.upload:
                return self._reply(peer.faults.upload, b"", "text/plain")
        if not peer.may_use_storage(self.path, self.connection.getpeercert(binary_form=True)):
            return self._reply(403, b"", "text/plain")
        retention = peer.retention or Retention()
        if (fault := retention.fault(self.command, self.path)) is not None:
            return self._fail(fault)
        if self.command == "DELETE" and peer.regions and retention.lets_go(self.path):
            return self._to_trash(peer.regions)
        if self.command == "POST" and "/keys/" in self.path:
            return self._forward_key(body)
        return self._forward(body)

    def _forward_key(self, body: bytes) -> None:
        """Cheap to try, where the passphrase is the tests' own: it is tried by each restic that they start."""
        body = cheap(body, PASSPHRASE)
        self.path = f"{self.path.rpartition('/')[0]}/{hashlib.sha256(body).hexdigest()}"
        return self._forward(body)

    def _fail(self, status: int) -> None:
        if not status:
            self.close_connection = True
            return None
        return self._reply(status, b"", "text/plain")

    def _to_trash(self, regions: Path) -> None:
        """As the portal does: rclone is append-only."""
        path = stored_at(regions, self.path)
        if not path.is_file():
            return self._reply(404, b"", "text/plain")
        (regions / "trash").mkdir(exist_ok=True)
        path.rename(regions / "trash" / path.name)
        return self._reply(200, b"", "text/plain")

    def _forward(self, body: bytes) -> None:
        passed = {k: v for k, v in self.headers.items() if k in ("Accept", "Content-Type", "Range")}
        upstream = _UnixConnection(self.peer.rclone)
        try:
            upstream.request(self.command, self.path, body or None, passed)
            answer = upstream.getresponse()
            content, length = answer.read(), answer.headers.get("Content-Length")
            kind = answer.headers.get("Content-Type", "application/octet-stream")
            self._reply(answer.status, content, kind, length if self.command == "HEAD" else None)
        finally:
            upstream.close()

    def _reply(self, status: int, content: bytes, kind: str, length: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
