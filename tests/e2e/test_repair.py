"""The documented ways out of damage, walked on the real portal: what comes back by itself, and what a machine stores
again."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import Machine, contents, make_machine, restored
from tests.e2e.ready import active_vault, credentials, machine_id
from tests.portal_process import Portal
from tests.waiting import wait_for

pytestmark = pytest.mark.system


@dataclass
class Patient:
    """A machine of a geo-redundant vault with a backup in both regions."""

    portal: Portal
    staff: ApiPerson
    machine: Machine
    vault: str
    vault_name: str
    id: str

    def copies(self, pack: str) -> list[Path]:
        """Where a pack is or was, the first region first."""
        storage = self.portal.data / "storage"
        return [storage / region / self.vault / self.id / "data" / pack[:2] / pack for region in ("local-a", "local-b")]

    @property
    def largest_pack(self) -> str:
        """The pack with the contents of files."""
        place = self.portal.data / "storage" / "local-a" / self.vault / self.id / "data"
        return max((path for path in place.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size).name

    @property
    def attention(self) -> str:
        """Why somebody must look at the machine; empty when nobody need."""
        found: str = self.staff.get(f"machines/{self.id}")["attention"]
        return found

    @property
    def page(self) -> str:
        """The machine's page as its people see it."""
        return self.staff.client.get(f"/machines/{self.id}/").raise_for_status().text

    @property
    def notice(self) -> str:
        """How the notification area begins what it says of the machine; it is one of many in this portal."""
        return f"Machine &quot;patient&quot; of vault &quot;{self.vault_name}&quot; needs attention"

    def put_snapshot(self, data: bytes) -> str:
        """Store an object among the machine's snapshots; gives its name."""
        name = hashlib.sha256(data).hexdigest()
        place = self.portal.data / "storage" / "local-a" / self.vault / self.id / "snapshots" / name
        place.write_bytes(data)
        return name

    def manage(self, *arguments: str) -> str:
        """What a command of the portal's says."""
        return self.portal.manage(*arguments)

    def comes_back(self, target: Path) -> None:
        """A restore has everything."""
        answer = self.machine.agent("restore", "--target", target)
        assert answer["code"] == "done"
        assert contents(restored(target, self.machine.files)) == contents(self.machine.files)


@pytest.fixture
def patient(portal: Portal, tmp_path: Path) -> Iterator[Patient]:
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
        vault = active_vault(portal, staff, name := f"Patient-{uuid4().hex[:6]}")
        machine = make_machine(tmp_path, "patient", files=3, megabytes=1)
        machine.setup(credentials(staff, vault, tmp_path))
        portal.wait_for_copy(vault)
        yield Patient(portal, staff, machine, vault, name, machine_id(staff, vault, "patient"))


def test_a_pack_gone_from_both_regions_is_found_told_stored_again_and_over(patient: Patient, tmp_path: Path) -> None:
    """The path of docs/storage-integrity.md: check, backup, check; the page says why and what to do meanwhile."""
    machine = patient.machine
    assert patient.attention == ""
    for path in patient.copies(patient.largest_pack):
        path.unlink()
    found = machine.agent("check", status=1)
    assert found["code"] == "repository_damaged"
    assert "strongroom-agent repair" in found["remedy"]
    assert patient.attention == "Check failed"
    assert "Run strongroom-agent repair on the machine, then strongroom-agent check." in patient.page

    saved = machine.agent("backup")
    assert saved["code"] == "done_on_damaged"
    assert saved["bytes_added"] > 1_000_000
    assert patient.attention == "Damaged"
    assert "These backups are known to be damaged" in patient.page
    assert patient.notice in patient.page
    assert "The warning ends when strongroom-agent check finds nothing missing." in patient.page

    assert machine.agent("check")["code"] == "done"
    assert patient.attention == ""
    assert patient.notice not in patient.page
    patient.comes_back(tmp_path / "back")
    assert machine.agent("backup")["code"] == "done"


@pytest.mark.long
def test_repair_alone_does_it_too(patient: Patient, tmp_path: Path) -> None:
    for path in patient.copies(patient.largest_pack):
        path.unlink()
    repaired = patient.machine.agent("repair")
    assert (repaired["code"], repaired["newest_whole"]) == ("done", True)
    assert patient.attention == ""
    assert patient.machine.agent("backup")["code"] == "done"
    patient.comes_back(tmp_path / "back")


def test_a_pack_gone_from_the_first_region_comes_back_by_itself(patient: Patient, tmp_path: Path) -> None:
    first, second = patient.copies(patient.largest_pack)
    whole = second.read_bytes()
    first.unlink()
    (patient.machine.files / "new").write_text("new")
    assert patient.machine.agent("backup")["code"] == "done"  # its report makes the next round due
    wait_for("the pack to come back", lambda: first.exists() and first.read_bytes() == whole, seconds=90)
    assert patient.machine.agent("backup")["code"] == "done"
    assert patient.machine.agent("check")["code"] == "done"
    assert patient.attention == ""
    patient.comes_back(tmp_path / "back")


def test_a_pack_damaged_in_its_place_comes_back_once_the_machine_has_told(patient: Patient, tmp_path: Path) -> None:
    """Nobody on the portal's side would see it before the scrub: its size is the same."""
    first, second = patient.copies(patient.largest_pack)
    whole = second.read_bytes()
    first.chmod(0o600)
    first.write_bytes(b"X" * len(whole))
    two_hours_ago = time.time() - 7200  # what is younger may be an upload under way
    os.utime(first, (two_hours_ago, two_hours_ago))
    assert patient.machine.agent("check", status=1)["code"] == "repository_damaged"
    wait_for("the pack to be replaced", lambda: first.read_bytes() == whole, seconds=90)
    assert patient.machine.agent("check")["code"] == "done"
    assert (patient.attention, patient.machine.agent("backup")["code"]) == ("", "done")
    patient.comes_back(tmp_path / "back")


@pytest.mark.long
def test_a_junk_snapshot_goes_to_the_trash(patient: Patient, tmp_path: Path) -> None:
    """As whoever has the machine's key but not its passphrase could store it."""
    junk = patient.put_snapshot(b"junk " * 50)
    found = patient.machine.agent("restore", "--target", tmp_path / "first", status=1)
    assert found["code"] == "repository_damaged"
    assert f"manage.py snapshots trash {patient.id}" in found["remedy"]
    said = patient.manage("snapshots", "trash", patient.id, junk[:8], "--reason", "Junk")
    assert f"Snapshot {junk[:16]} of patient is in the trash." in said
    patient.comes_back(tmp_path / "back")
    assert patient.machine.agent("check")["code"] == "done"


@pytest.mark.long
def test_a_snapshot_that_is_lost_for_good_goes_to_the_trash(patient: Patient, tmp_path: Path) -> None:
    """What it alone had is in no region and not on the machine any more: without this no check would ever pass."""
    machine = patient.machine
    (only := machine.files / "only").write_bytes(os.urandom(2_000_000))
    assert machine.agent("backup")["code"] == "done"
    patient.portal.wait_for_copy(patient.vault)
    lost, pack = machine.agent("snapshots")["snapshots"][-1]["id"], patient.largest_pack
    only.unlink()
    assert machine.agent("backup")["code"] == "done"
    patient.portal.wait_for_copy(patient.vault)
    for path in patient.copies(pack):
        path.unlink()
    found = machine.agent("repair", status=1)
    assert found["code"] == "repair_incomplete"
    assert list(found["lost_from"]) == [lost[:8]]
    assert f"manage.py snapshots trash {patient.id} {lost[:8]}" in found["remedy"]
    assert patient.attention == "Damaged"

    patient.manage("snapshots", "trash", patient.id, lost[:8], "--reason", "Lost for good")
    assert machine.agent("check")["code"] == "done"
    assert machine.agent("backup")["code"] == "done"
    assert patient.attention == ""
    patient.comes_back(tmp_path / "back")
