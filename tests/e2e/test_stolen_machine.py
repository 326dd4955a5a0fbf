"""Somebody with a machine's key, root on it and its passphrase: what was restorable comes back, byte for byte."""

import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import ROOT, Machine, contents, make_machine, restored
from tests.e2e.ready import active_vault, certificate_of, credentials, machine_id
from tests.portal_process import Portal
from tests.waiting import wait_for

pytestmark = pytest.mark.system
RESTIC = ROOT / ".venv" / "bin" / "restic"
_LOOK = """
from vaults.models import Vault
from vaults.trash import repositories
from uuid import UUID
vault = Vault.objects.select_related("region").get(pk="{vault}")
repositories.look(vault, UUID("{machine}"), thoroughly=True)
"""
_AGE = """
from datetime import timedelta
from django.utils import timezone
from vaults.models import SeenObject
SeenObject.objects.filter(machine_id="{machine}").update(first_seen_at=timezone.now() - timedelta(days=30))
print(timezone.now().isoformat())
"""
_FACTS = """
import json
from vaults.models import MachineRepository
row = MachineRepository.objects.get(pk="{machine}")
print(json.dumps([row.held_reason, row.whole_as_of is not None and row.whole_as_of > row.deleted_at]))
"""


@dataclass
class Stolen:
    """A machine with two generations of its files backed up a month ago, and what its thief can do."""

    portal: Portal
    staff: ApiPerson
    machine: Machine
    vault: str
    id: str
    then: str  # when all was well
    generations: list[tuple[str, dict[str, bytes | str]]]  # each snapshot, and what was backed up

    @property
    def url(self) -> str:
        return f"{self.portal.edge_url}/local-a/{self.vault}/{self.id}/"

    def restic(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Stock restic, with all that is on the machine."""
        (passphrase,) = self.machine.folder.glob("passphrase-*")
        given = {
            "RESTIC_REPOSITORY": f"rest:{self.url}",
            "RESTIC_PASSWORD_FILE": str(passphrase),
            "RESTIC_CACHE_DIR": str(self.machine.folder / "thiefs-cache"),
        }
        trust = ["--cacert", str(self.portal.data / "pki" / "root.pem")]
        command = [str(RESTIC), *trust, "--tls-client-cert", str(certificate_of(self.machine)), *arguments]
        return subprocess.run(
            command, env={**os.environ, **given}, capture_output=True, text=True, timeout=180, check=False
        )

    def delete(self, kind: str) -> set[int]:
        """Delete all objects of a kind by hand; the answers."""
        tls = ssl.create_default_context(cafile=self.portal.data / "pki" / "root.pem")
        tls.load_cert_chain(certificate_of(self.machine))
        headers = {"Accept": "application/vnd.x.restic.rest.v2"}
        with httpx.Client(verify=tls, timeout=30, headers=headers) as client:
            listed = client.get(f"{self.url}{kind}/").json() or []
            return {client.delete(f"{self.url}{kind}/{each['name']}").status_code for each in listed}

    def stored(self, kind: str, region: str = "local-a") -> set[str]:
        """The names of what a region has."""
        place = self.portal.data / "storage" / region / self.vault / self.id / kind
        return {path.name for path in place.rglob("*") if path.is_file()}

    def manage(self, code: str) -> str:
        """What some code says inside of the portal."""
        return self.portal.manage("shell", "-v", "0", "-c", code.format(vault=self.vault, machine=self.id)).strip()

    def bring_back(self) -> None:
        """What its people do on the machine's page, until it is done."""
        body = {"as_of": self.then, "reason": "The machine was stolen."}
        asked = self.staff.call("POST", f"machines/{self.id}/bring-back", body)
        assert asked.status_code in {200, 201, 202}, asked.text
        titles = f"Backups of vault &quot;{self.staff.get(f'vaults/{self.vault}')['name']}&quot; were brought back."
        wait_for("the backups to be back", lambda: titles in self.staff.client.get("/notifications/").text, seconds=120)

    def all_restorable(self, folder: Path) -> None:
        """Each snapshot of then comes back byte for byte, and the machine's own check passes."""
        assert self.machine.agent("check")["code"] == "done"
        for number, (snapshot, files) in enumerate(self.generations):
            target = folder / f"back-{number}"
            assert self.machine.agent("restore", "--snapshot", snapshot, "--target", target)["code"] == "done"
            assert contents(restored(target, self.machine.files)) == files


@pytest.fixture
def stolen(portal: Portal, tmp_path: Path) -> Iterator[Stolen]:
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
        vault = active_vault(portal, staff, f"Stolen-{uuid4().hex[:6]}")
        machine = make_machine(tmp_path, "stolen", files=6, megabytes=2)
        machine.setup(credentials(staff, vault, tmp_path))
        generations = [(machine.agent("snapshots")["snapshots"][0]["id"], contents(machine.files))]
        shutil.rmtree(machine.files / "folder 1")
        (machine.files / "new.bin").write_bytes(os.urandom(1_000_000))
        generations.append((machine.agent("backup")["snapshot"], contents(machine.files)))
        portal.wait_for_copy(vault)
        found = Stolen(portal, staff, machine, vault, machine_id(staff, vault, "stolen"), "", generations)
        found.manage(_LOOK)
        found.then = found.manage(_AGE)
        yield found


def test_packs_deleted_with_their_index_left_in_place(stolen: Stolen, tmp_path: Path) -> None:
    """restic believes its index, so the machine's next backup rests on nothing, and ends well."""
    assert stolen.delete("data") == {200}
    assert stolen.delete("keys") == {403}
    held, _ = json.loads(stolen.manage(_FACTS))
    assert held == "It deleted backup data although no retain was announced."
    stolen.bring_back()
    stolen.all_restorable(tmp_path)
    held, proven = json.loads(stolen.manage(_FACTS))
    assert (held, proven) == ("It deleted backup data although no retain was announced.", True)


def test_all_that_a_thief_can_do(stolen: Stolen, tmp_path: Path) -> None:
    """Forged and backdated snapshots, another key, everything old forgotten and pruned, the index deleted."""
    other = tmp_path / "other passphrase"
    other.write_text("the thief's own passphrase")
    added = [stolen.restic("key", "add", "--new-password-file", str(other)).returncode for _ in range(2)]
    assert added[0] == 0
    assert added[1] != 0, "a third key was taken"
    for when in ("2001-01-01 00:00:00", "2038-01-01 00:00:00"):
        assert stolen.restic("backup", "--time", when, str(other)).returncode == 0
    for snapshot, _ in stolen.generations:
        stolen.restic("forget", snapshot)
    stolen.restic("prune", "--max-unused", "0")
    assert stolen.delete("index") <= {200}
    genuine = {snapshot for snapshot, _ in stolen.generations}
    assert not genuine & stolen.stored("snapshots")
    stolen.bring_back()
    assert stolen.stored("snapshots") == genuine
    wait_for("the pair to follow", lambda: stolen.stored("snapshots", "local-b") == genuine)
    stolen.all_restorable(tmp_path)


def test_what_is_young_cannot_be_deleted_at_all(stolen: Stolen) -> None:
    (stolen.machine.files / "young.bin").write_bytes(os.urandom(500_000))
    young = stolen.machine.agent("backup")["snapshot"]
    stolen.manage(_LOOK)
    stolen.restic("forget", young)
    assert young in stolen.stored("snapshots")
    assert stolen.delete("snapshots") == {200, 403}
    assert stolen.stored("snapshots") == {young}
