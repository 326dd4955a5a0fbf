"""What happens to a machine in mid-backup: locked out, or left waiting while the portal cannot decide."""

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import Machine, make_machine, restored
from tests.e2e.ready import active_vault, certificate_of, credentials, machine_id
from tests.e2e.slow_backup import slow_backup
from tests.e2e.wire import ask, connected, read_answer, request
from tests.portal_process import Portal
from tests.waiting import wait_for

pytestmark = pytest.mark.system


@dataclass
class Protected:
    """A machine with a first backup, and where its objects are."""

    machine: Machine
    id: str
    path: str
    stored: Path


@pytest.fixture
def staff(portal: Portal) -> Iterator[ApiPerson]:
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as person:
        yield person


def protected(portal: Portal, staff: ApiPerson, folder: Path) -> Protected:
    """A machine of a new vault."""
    vault = active_vault(portal, staff, f"In-mid-backup-{uuid4().hex[:6]}")
    machine = make_machine(folder, "mid-backup", files=3, megabytes=1)
    machine.setup(credentials(staff, vault, folder))
    number = machine_id(staff, vault, "mid-backup")
    stored = portal.data / "storage" / "local-a" / vault / number
    return Protected(machine, number, f"/local-a/{vault}/{number}", stored)


@pytest.mark.long
def test_a_revoked_machine_is_out_in_mid_backup(portal: Portal, staff: ApiPerson, tmp_path: Path) -> None:
    """At once, on an open connection too; what restic was doing never becomes a snapshot."""
    one = protected(portal, staff, tmp_path)
    pair = certificate_of(one.machine)
    snapshots = sorted((one.stored / "snapshots").iterdir())
    question = request(f"GET {one.path}/config")
    with (
        connected(portal, pair) as line,
        slow_backup(one.machine, portal.edge_url + one.path, one.stored) as backup,
    ):
        line.sendall(question)
        assert read_answer(line).status == 200
        backup.wait_for_middle()
        staff.post(f"machines/{one.id}/revoke", {"reason": "Stolen in mid-backup"})
        line.sendall(question)
        assert read_answer(line).status == 403
        wait_for("restic to be refused", lambda: backup.has_said("403"))
    assert sorted((one.stored / "snapshots").iterdir()) == snapshots
    refused = one.machine.agent("backup", status=1)
    assert refused["code"] == "not_allowed"


def test_a_backup_goes_on_when_the_database_is_back(portal: Portal, staff: ApiPerson, tmp_path: Path) -> None:
    """Without it nobody can decide: 503, which restic takes as "ask again", neither a yes nor a no."""
    one = protected(portal, staff, tmp_path)
    pair = certificate_of(one.machine)
    with slow_backup(one.machine, portal.edge_url + one.path, one.stored) as backup:
        backup.wait_for_middle()
        with database_away(portal):
            reading = request(f"GET {one.path}/config")
            wait_for("the portal to have no answer", lambda: ask(portal, pair, reading).status == 503)
            storing = request(f"POST {one.path}/locks/{'0' * 64}", body=b"junk")
            assert ask(portal, pair, storing).status == 503
            wait_for("restic to meet it", lambda: backup.has_said("503"))
            assert backup.process.poll() is None
        assert backup.finish() == 0, backup.said
    assert not (one.stored / "locks" / ("0" * 64)).exists()
    assert odd_objects(one.stored) == []
    portal.wait_until_ready()
    one.machine.agent("check")
    one.machine.agent("restore", "--target", tmp_path / "back")
    assert restored(tmp_path / "back", backup.data).read_bytes() == backup.data.read_bytes()


def odd_objects(stored: Path) -> list[Path]:
    """Objects that do not match their names."""
    objects = [path for path in stored.rglob("*") if path.is_file() and path.name != "config"]
    return [path for path in objects if hashlib.sha256(path.read_bytes()).hexdigest() != path.name]


@contextmanager
def database_away(portal: Portal) -> Iterator[None]:
    """No new connection to SQLite's file succeeds; web and gate, which keep their connections, are started anew."""
    file = portal.data / "strongroom.sqlite3"
    kept, folder = file.with_suffix(".kept"), file.with_suffix(".folder")
    folder.mkdir()
    file.rename(kept)
    folder.rename(file)  # a folder in its place, or SQLite would make an empty file
    try:
        portal.kill("web")
        portal.kill("gate")
        yield
    finally:
        file.rmdir()
        kept.rename(file)
