"""A machine with two generations of its files, all of it stolen, and what its people and thieves can do."""

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx

from tests.api_person import ApiPerson
from tests.e2e.machine import ROOT, Machine, contents, make_machine, restored
from tests.e2e.ready import active_vault, certificate_of, credentials, machine_id
from tests.portal_process import Portal
from tests.waiting import wait_for

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

    def look(self) -> None:
        """Have the portal look at what is stored."""
        self.manage(_LOOK)

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


@contextmanager
def stolen_machine(portal: Portal, folder: Path, redundancy: str = "geo") -> Iterator[Stolen]:
    """One whose backups were made a month ago, as far as the portal knows."""
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
        vault = active_vault(portal, staff, f"Stolen-{uuid4().hex[:6]}", redundancy)
        machine = make_machine(folder, "stolen", files=6, megabytes=2)
        machine.setup(credentials(staff, vault, folder))
        generations = [(machine.agent("snapshots")["snapshots"][0]["id"], contents(machine.files))]
        shutil.rmtree(machine.files / "folder 1")
        (machine.files / "new.bin").write_bytes(os.urandom(1_000_000))
        generations.append((machine.agent("backup")["snapshot"], contents(machine.files)))
        if redundancy == "geo":
            portal.wait_for_copy(vault)
        found = Stolen(portal, staff, machine, vault, machine_id(staff, vault, "stolen"), "", generations)
        found.look()
        found.then = found.manage(_AGE)
        yield found
