"""A pack that no region has: restic's own repair, through the real edge, makes the repository whole again."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import ROOT, Machine, contents, make_machine, restored
from tests.e2e.ready import active_vault, certificate_of, credentials, machine_id
from tests.portal_process import Portal

pytestmark = pytest.mark.system
RESTIC = ROOT / ".venv" / "bin" / "restic"


@pytest.fixture
def staff(portal: Portal) -> Iterator[ApiPerson]:
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as person:
        yield person


class Repository:
    """A machine's repository, by restic itself rather than by the agent, and what lies of it in the regions."""

    def __init__(self, portal: Portal, machine: Machine, path: str) -> None:
        self.portal, self.machine, self.path = portal, machine, path

    def restic(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run restic against the first region."""
        (passphrase,) = self.machine.folder.glob("passphrase-*")
        given = {
            "RESTIC_REPOSITORY": f"rest:{self.portal.edge_url}/local-a/{self.path}/",
            "RESTIC_PASSWORD_FILE": str(passphrase),
            "RESTIC_CACHE_DIR": str(self.machine.folder / "other-cache"),
        }
        trust = ["--cacert", str(self.portal.data / "pki" / "root.pem")]
        command = [str(RESTIC), *trust, "--tls-client-cert", str(certificate_of(self.machine)), *arguments]
        return subprocess.run(
            command, env={**os.environ, **given}, capture_output=True, text=True, timeout=120, check=False
        )

    def names(self, kind: str, region: str = "local-a", area: str = "") -> set[str]:
        """The objects of a kind, in the machine's folder or in an area beside the vaults."""
        place = self.portal.data / "storage" / region / area / self.path / kind
        return {path.name for path in place.rglob("*") if path.is_file()}

    def lose(self, name: str) -> None:
        """Remove a pack from both regions."""
        for region in ("local-a", "local-b"):
            (self.portal.data / "storage" / region / self.path / "data" / name[:2] / name).unlink()


def largest_pack(repository: Repository) -> str:
    """The one with the contents of files."""
    place = repository.portal.data / "storage" / "local-a" / repository.path / "data"
    return max((path for path in place.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size).name


@pytest.mark.long
def test_repair_index_then_backup_by_force(portal: Portal, staff: ApiPerson, tmp_path: Path) -> None:
    vault = active_vault(portal, staff, f"Repair-{uuid4().hex[:6]}")
    machine = make_machine(tmp_path, "victim", files=3, megabytes=1)
    machine.setup(credentials(staff, vault, tmp_path))
    repository = Repository(portal, machine, f"{vault}/{machine_id(staff, vault, 'victim')}")
    portal.wait_for_copy(vault)
    before, pack = repository.names("index"), largest_pack(repository)
    repository.lose(pack)
    assert repository.restic("check").returncode != 0

    repaired = repository.restic("repair", "index")
    assert repaired.returncode == 0, repaired.stderr
    gone = before - repository.names("index")
    assert gone
    assert repository.names("index", area="trash") == gone

    again = repository.restic("backup", "--force", str(machine.files))
    assert again.returncode == 0, again.stderr
    checked = repository.restic("check", "--read-data")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    target = tmp_path / "target"
    assert repository.restic("restore", "latest", "--target", str(target)).returncode == 0
    assert contents(restored(target, machine.files)) == contents(machine.files)
