"""What a machine has under way when it is locked out ends then: nothing more is stored, and nothing more is read."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import Machine, make_machine
from tests.e2e.ready import active_vault, certificate_of, credentials, machine_id
from tests.e2e.wire import LIMIT, context, request
from tests.portal_process import Portal
from tests.waiting import wait_for

pytestmark = pytest.mark.system
PARKED = 50
MEGABYTE = 2**20
WITHIN = 3.0  # seconds; a second on a machine with nothing else to do
WINDOW = 4096  # bytes that the reader of a download has room for


@dataclass
class Parked:
    """An upload of a megabyte that is trickled, in a thread of its own, until it is let go and sent to its end."""

    portal: Portal
    pair: Path
    path: str
    answer: bytes = b""
    opened: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Send all but some bytes, these one by one, and the rest when told to."""
        left = 500
        with (
            socket.create_connection(("127.0.0.1", self.portal.edge_port), timeout=LIMIT) as plain,
            context(self.portal, self.pair).wrap_socket(plain, server_hostname="localhost") as line,
        ):
            line.sendall(request(f"POST {self.path}", f"Content-Length: {MEGABYTE}") + b"a" * (MEGABYTE - left))
            self.opened.set()
            with suppress(OSError):
                while not self.go.wait(0.5) and left > 1:
                    line.sendall(b"a")
                    left -= 1
                line.sendall(b"a" * left)
                self.answer = line.recv(1024)


@dataclass
class Owner:
    """A machine with a first backup, whom nobody minds being locked out."""

    portal: Portal
    machine: Machine
    id: str
    path: str
    stored: Path

    def objects(self) -> set[str]:
        """What it has stored, locks apart."""
        return {
            str(path.relative_to(self.stored))
            for path in self.stored.rglob("*")
            if path.is_file() and path.parent.name != "locks"
        }

    def shell(self, code: str) -> float:
        """Change rows, and give the time at which that was done."""
        answer = self.portal.manage("shell", "-v", "0", "-c", f"{code}\nimport time; print(time.time())")
        return float(answer.split()[-1])


@pytest.fixture
def staff(portal: Portal) -> Iterator[ApiPerson]:
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as person:
        yield person


@pytest.fixture
def owner(portal: Portal, staff: ApiPerson, tmp_path: Path) -> Owner:
    vault = active_vault(portal, staff, f"Open-{uuid4().hex[:6]}", "local")
    machine = make_machine(tmp_path, "parker", files=3, megabytes=8)
    machine.setup(credentials(staff, vault, tmp_path))
    number = machine_id(staff, vault, "parker")
    path = f"/local-a/{vault}/{number}"
    return Owner(portal, machine, number, path, portal.data / "storage" / path[1:])


@contextmanager
def parked(owner: Owner, number: int) -> Iterator[list[Parked]]:
    """Uploads under way, of which the region has the beginning; they are sent to their end after the block."""
    before = owner.objects()
    pair = certificate_of(owner.machine)
    names = [f"{owner.path}/data/{uuid4().hex}{uuid4().hex}" for _ in range(number)]
    uploads = [Parked(owner.portal, pair, name) for name in names]
    threads = [threading.Thread(target=upload.run, daemon=True) for upload in uploads]
    for thread in threads:
        thread.start()
    wait_for("the region to have the beginnings", lambda: len(owner.objects() - before) == number)
    wait_for("all to be under way", lambda: all(upload.opened.is_set() for upload in uploads))
    yield uploads
    for upload in uploads:
        upload.go.set()
    for thread in threads:
        thread.join(LIMIT)


def gone(owner: Owner, before: set[str]) -> float:
    """When nothing was left of what was under way."""
    wait_for("all to be cut off", lambda: owner.objects() == before, pause=0.05)
    return time.time()


@contextmanager
def open_download(owner: Owner) -> Iterator[ssl.SSLSocket]:
    """A download of the largest object, of which little has been read."""
    largest = max((owner.stored / "data").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    assert largest.stat().st_size > 4 * MEGABYTE
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        plain.settimeout(LIMIT)
        plain.connect(("127.0.0.1", owner.portal.edge_port))
        with context(owner.portal, certificate_of(owner.machine)).wrap_socket(
            plain, server_hostname="localhost"
        ) as line:
            line.sendall(request(f"GET {owner.path}/data/{largest.name}"))
            assert line.recv(100).startswith(b"HTTP/1.1 200 ")
            yield line


def still_comes(line: ssl.SSLSocket) -> int:
    """How many bytes an open download still gives."""
    total = 0
    try:
        while part := line.recv(65536):
            total += len(part)
    except OSError:
        pass
    return total


def revoked(owner: Owner, staff: ApiPerson) -> float:
    """When it was."""
    staff.post(f"machines/{owner.id}/revoke", {"reason": "stolen"})
    return time.time()


def suspended(owner: Owner, staff: ApiPerson) -> float:
    """The same for the state that follows on two holders of one identity."""
    return owner.shell(
        f"from agents.models import Machine; Machine.objects.filter(pk='{owner.id}').update(state='Suspended')"
    )


def replaced(owner: Owner, staff: ApiPerson) -> float:
    """As the edge sees it: the certificate from before has died, the machine goes on with another."""
    return owner.shell(
        "from django.utils import timezone; from agents.models import MachineCertificate;"
        f"MachineCertificate.objects.filter(machine='{owner.id}').update(revoked_at=timezone.now())"
    )


LockOut = Callable[[Owner, ApiPerson], float]


@pytest.mark.parametrize(
    "locked_out", [revoked, *(pytest.param(other, marks=pytest.mark.long) for other in (suspended, replaced))]
)
def test_what_is_under_way_ends(
    owner: Owner, staff: ApiPerson, locked_out: Callable[[Owner, ApiPerson], float]
) -> None:
    """Uploads that are trickled and a download that is hardly read: all within the time of the contract."""
    before = owner.objects()
    with open_download(owner) as download:
        with parked(owner, PARKED) as uploads:
            took = -locked_out(owner, staff) + gone(owner, before)
            assert took < WITHIN, f"{took:.1f} s"
        assert {upload.answer[:12] for upload in uploads} == {b"HTTP/1.1 403"}
        # What was on its way already: buffers of the edge and of the kernel.
        assert still_comes(download) < 4 * MEGABYTE
    assert owner.objects() == before


def test_a_machine_that_reaches_its_quota_stores_no_more_and_reads_on(owner: Owner, staff: ApiPerson) -> None:
    """Uploads end as full; the download is delivered to its end."""
    before = owner.objects()
    limit = (
        "from agents.models import Machine; from vaults.models import Region;"
        f"Machine.objects.filter(pk='{owner.id}').update(used_bytes=10**12);"
        "Region.objects.filter(slug='local-a').update(machine_quota_bytes={quota})"
    )
    try:
        with open_download(owner) as download:
            with parked(owner, 5) as uploads:
                # Under what it has: a measurement that comes in between finds it over its quota too.
                took = -owner.shell(limit.format(quota=1)) + gone(owner, before)
                assert took < WITHIN, f"{took:.1f} s"
            assert {upload.answer[:12] for upload in uploads} == {b"HTTP/1.1 507"}
            download.settimeout(5)
            assert still_comes(download) > 4 * MEGABYTE
    finally:
        owner.shell(limit.format(quota=None))
    assert owner.objects() == before
