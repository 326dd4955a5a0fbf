"""Half objects, junk, uploads held open: the machine's people are told, storage is repaired, nobody else notices."""

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import Machine, contents, make_machine, restored
from tests.e2e.ready import active_vault, certificate_of, credentials, machine_id
from tests.e2e.wire import Answer, ask, connected, read_answer, request
from tests.portal_process import Portal
from tests.waiting import wait_for

pytestmark = pytest.mark.system
KINDS = ("data", "index", "keys", "locks", "snapshots")
JUNK = b"not what its name says, but as long as what restic seals"


@dataclass
class Stored:
    """A machine of the vault with a first backup, and the folder of its objects."""

    machine: Machine
    vault_name: str
    vault: str
    id: str
    folder: Path

    @property
    def path(self) -> str:
        """The address of its repository."""
        return f"/local-a/{self.vault}/{self.id}"

    def object(self, kind: str, name: str) -> Path:
        """Where an object lies."""
        return self.folder / kind / name[:2] / name if kind == "data" else self.folder / kind / name

    def store(self, portal: Portal, kind: str, name: str, body: bytes) -> Answer:
        """Store an object as restic does."""
        target = "config" if kind == "config" else f"{kind}/{name}"
        sent = request(f"POST {self.path}/{target}", "Connection: close", body=body)
        return ask(portal, certificate_of(self.machine), sent)

    def works(self, target: Path) -> None:
        """A backup and a restore of it, byte for byte."""
        before = contents(self.machine.files)
        self.machine.agent("backup")
        self.machine.agent("restore", "--target", target)
        assert contents(restored(target, self.machine.files)) == before


@pytest.fixture(scope="module")
def staff(portal: Portal) -> Iterator[ApiPerson]:
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as person:
        yield person


@pytest.fixture(scope="module")
def two(portal: Portal, staff: ApiPerson, tmp_path_factory: pytest.TempPathFactory) -> tuple[Stored, Stored]:
    """The machine that things happen to, and its neighbour."""
    folder, name = tmp_path_factory.mktemp("integrity"), f"Integrity-{uuid4().hex[:6]}"
    vault = active_vault(portal, staff, name, "geo")
    credential = credentials(staff, vault, folder, machines=2)
    made = []
    for each in ("victim", "neighbour"):
        machine = make_machine(folder, each, files=3, megabytes=1)
        machine.setup(credential)
        number = machine_id(staff, vault, each)
        made.append(Stored(machine, name, vault, number, portal.data / "storage" / "local-a" / vault / number))
    return made[0], made[1]


@pytest.fixture
def victim(two: tuple[Stored, Stored]) -> Stored:
    return two[0]


def objects(folder: Path) -> dict[str, bytes]:
    """All objects of a machine but its locks, by path."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {path: data for path, data in found.items() if not path.startswith("locks/")}


def rclone_of_local_a(portal: Portal) -> int:
    """The process behind the gateway, whose command line has its socket as a word of its own."""
    socket = f"unix://{portal.data}/run/rclone-local-a.sock".encode()
    (pid,) = (pid for pid in portal.processes() if socket in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
    return pid


def restart_gateway_uncleanly(portal: Portal) -> None:
    """`kill -9`, and back after it has compared what was stored a short while ago.

    rclone is stopped first: it would see the relay go a moment before it is killed itself, and clean up.
    """
    os.kill(rclone_of_local_a(portal), signal.SIGSTOP)
    old = portal.kill("gateway-local-a")
    wait_for("the gateway to come back", lambda: portal.pids().get("gateway-local-a", old) != old)
    portal.wait_until_ready(60)


def quarantined(portal: Portal, stored: Stored, kind: str, name: str) -> list[bytes]:
    """What was set aside of an object, the oldest first."""
    place = (
        portal.data
        / "storage"
        / "local-a"
        / "quarantine"
        / stored.object(kind, name).relative_to(portal.data / "storage" / "local-a")
    )
    return [path.read_bytes() for path in sorted(place.parent.glob(f"{name}.*"))] if place.parent.exists() else []


def people_are_told(staff: ApiPerson, stored: Stored) -> bool:
    """The page of notifications says which vault and machine, and what to do."""
    page = staff.client.get("/notifications/").text
    return f"A damaged object of vault &quot;{stored.vault_name}&quot; was set aside." in page and stored.id in page


def test_half_an_object_after_kill_9_of_the_gateway(
    portal: Portal, staff: ApiPerson, victim: Stored, tmp_path: Path
) -> None:
    """It lies under its final name, where nobody may overwrite it; it is set aside before the next request is taken."""
    whole = os.urandom(2_000_000)
    name = hashlib.sha256(whole).hexdigest()
    place = victim.object("data", name)
    with connected(portal, certificate_of(victim.machine)) as connection:
        connection.sendall(request(f"POST {victim.path}/data/{name}", f"Content-Length: {len(whole)}") + whole[: 10**6])
        wait_for("half of it to be there", lambda: place.exists() and place.stat().st_size == 10**6)
        restart_gateway_uncleanly(portal)
    assert not place.exists()
    assert quarantined(portal, victim, "data", name) == [whole[: 10**6]]
    assert people_are_told(staff, victim)
    assert victim.store(portal, "data", name, whole).status == 200
    assert place.read_bytes() == whole
    victim.works(tmp_path)


@pytest.mark.long
def test_junk_of_every_type_from_a_machine_that_may_store(
    portal: Portal, staff: ApiPerson, two: tuple[Stored, Stored], tmp_path: Path
) -> None:
    """Another machine of the same vault does not notice, before the repair and after it."""
    victim, neighbour = two
    portal.wait_for_copy(victim.vault)
    others = objects(neighbour.folder)
    name = uuid4().hex * 2
    assert {kind: victim.store(portal, kind, name, JUNK).status for kind in KINDS} == dict.fromkeys(KINDS, 200)
    assert victim.store(portal, "config", "", JUNK).status == 403
    neighbour.machine.agent("restore", "--target", tmp_path / "during")
    assert contents(restored(tmp_path / "during", neighbour.machine.files)) == contents(neighbour.machine.files)
    restart_gateway_uncleanly(portal)
    assert {kind: quarantined(portal, victim, kind, name) for kind in KINDS} == {kind: [JUNK] for kind in KINDS}
    assert [kind for kind in KINDS if victim.object(kind, name).exists()] == []
    assert people_are_told(staff, victim)
    victim.works(tmp_path / "victim")
    assert objects(neighbour.folder) == others
    neighbour.works(tmp_path / "neighbour")


@pytest.mark.parametrize("first_ends", [True, False])
def test_two_uploads_of_one_name_held_open(portal: Portal, victim: Stored, first_ends: bool) -> None:
    """The second waits for the first: it is refused when that one stored the object, else it stores it itself."""
    whole = os.urandom(200_000)  # no more than servers take in after a refusal: it would not always arrive
    name = hashlib.sha256(whole).hexdigest()
    head = request(f"POST {victim.path}/data/{name}", f"Content-Length: {len(whole)}")
    place, pair = victim.object("data", name), certificate_of(victim.machine)
    with connected(portal, pair) as second:
        with connected(portal, pair) as first:
            first.sendall(head + whole[: 10**5])
            wait_for("the first to be under way", lambda: place.exists() and place.stat().st_size == 10**5)
            second.sendall(head + whole)
            if first_ends:
                first.sendall(whole[10**5 :])
                assert read_answer(first).status == 200
        assert read_answer(second).status == (403 if first_ends else 200)
    assert place.read_bytes() == whole


def test_an_upload_that_breaks_off_leaves_nothing(portal: Portal, victim: Stored) -> None:
    """The gateway takes half an object away itself, as long as it lives."""
    whole = os.urandom(2_000_000)
    name = hashlib.sha256(whole).hexdigest()
    place = victim.object("data", name)
    with connected(portal, certificate_of(victim.machine)) as connection:
        connection.sendall(request(f"POST {victim.path}/data/{name}", f"Content-Length: {len(whole)}") + whole[: 10**6])
        wait_for("half of it to be there", lambda: place.exists() and place.stat().st_size == 10**6)
    wait_for("the half to be gone", lambda: not place.exists())
    assert victim.store(portal, "data", name, whole).status == 200


def test_the_scrub_finds_what_lies_there_for_long(
    portal: Portal, staff: ApiPerson, two: tuple[Stored, Stored], tmp_path: Path
) -> None:
    """Junk that nothing else looks at, and a damaged object of the right size in the pair, which comes back whole."""
    victim, neighbour = two
    portal.wait_for_copy(victim.vault)
    name = uuid4().hex * 2
    assert victim.store(portal, "index", name, JUNK).status == 200
    old = time.time() - 7200
    os.utime(victim.object("index", name), (old, old))
    snapshot = min((neighbour.folder / "snapshots").iterdir())
    copied = portal.data / "storage" / "local-b" / snapshot.relative_to(portal.data / "storage" / "local-a")
    whole = copied.read_bytes()
    assert whole == snapshot.read_bytes()
    copied.write_bytes(bytes(len(whole)))
    os.utime(copied, (old, old))
    portal.manage(
        *("shell", "-v", "0", "-c"),
        "from django.db.models.functions import Now; from vaults.models import Scrub; from portal.queue import enqueue;"
        "Scrub.objects.update(due_at=Now()); enqueue('vaults.scrub')",
    )
    wait_for("the copy to be whole again", lambda: copied.exists() and copied.read_bytes() == whole, seconds=90)
    wait_for("the junk to be set aside", lambda: not victim.object("index", name).exists(), seconds=90)
    assert quarantined(portal, victim, "index", name) == [JUNK]
    assert people_are_told(staff, victim)
    page = staff.client.get("/notifications/").text
    assert f"A damaged object of vault &quot;{victim.vault_name}&quot; was replaced." in page
    victim.works(tmp_path)
