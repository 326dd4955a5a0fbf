"""`kill -9` of any part at a random moment of a retain, and of the purge after it: nothing is lost, nothing left over.

After each round restic finds the repository clean, both regions have the same, and the trash of each has what rows tell
of and nothing else. `make test` runs a seeded share; `make test-long` the full count.
"""

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import AGENT, ROOT, Machine, contents, make_machine, restored
from tests.e2e.ready import active_vault, certificate_of, credentials, machine_id
from tests.faults.killing import PATIENCE, killed_soon
from tests.portal_process import Portal
from tests.waiting import wait_for

pytestmark = pytest.mark.system
ROUNDS = 40 if os.environ.get("STRONGROOM_LONG") else 3
RETAINING = ("web", "worker", "storage", "edge", "gateway-local-a", "gate")
PURGING = ("worker", "storage", "web", "valkey")
SEED = 20261128
RESTIC = ROOT / ".venv" / "bin" / "restic"
# All but what the machine made by itself was seen a long time ago, so that a retain lets it go.
_AGE = """
from datetime import timedelta
from django.utils import timezone
from uuid import UUID
from vaults.models import SeenObject, Vault
from vaults.trash import repositories
repositories.look(Vault.objects.select_related("region").get(pk="{vault}"), UUID("{machine}"), thoroughly=True)
SeenObject.objects.filter(machine_id="{machine}").exclude(name__in={kept}).update(
    first_seen_at=timezone.now() - timedelta(days=60)
)
"""
# Somebody has decided about what is held, the soft-delete period passes, and so do leases of workers that were killed.
_PASS = """
from datetime import timedelta
from django.db.models import F
from django.db.models.functions import Now
from portal.queue import enqueue
from vaults.models import MachineRepository, PairedCopy, RemovedObject
days = timedelta(days=20)
RemovedObject.objects.filter(machine_id="{machine}").exclude(moved_at=None).update(
    removed_at=F("removed_at") - days, moved_at=F("moved_at") - days
)
MachineRepository.objects.filter(pk="{machine}").update(held_at=None, held_reason="")
enqueue("vaults.purge")
"""
_LEASES = """
from django.db.models.functions import Now
from portal.queue import enqueue
from vaults.models import MachineRepository, PairedCopy
MachineRepository.objects.exclude(lease_until=None).update(lease_until=Now())
PairedCopy.objects.filter(vault="{vault}").update(lease_until=Now(), due_at=Now(), attempts=0)
enqueue("vaults.purge")
enqueue("vaults.sweep")
"""
_FACTS = """
import json
from datetime import timedelta
from django.utils import timezone
from vaults.models import MachineRepository, PairedCopy, RemovedObject
copy, row = PairedCopy.objects.get(vault="{vault}"), MachineRepository.objects.get(pk="{machine}")
rows = RemovedObject.objects.filter(machine_id="{machine}")
print(json.dumps(dict(
    complete=copy.complete_as_of.timestamp() if copy.complete_as_of else 0,
    held=row.held_reason,
    rows=sorted(rows.filter(live_again=False).values_list("path", flat=True)),
    overdue=rows.filter(removed_at__lt=timezone.now() - timedelta(days=14)).count(),
)))
"""


@dataclass
class Thinned:
    """A machine whose backups are thinned and purged again and again."""

    portal: Portal
    machine: Machine
    vault: str
    id: str
    kept: list[str]  # the snapshots that are young, also by the machine's own clock

    def manage(self, code: str, **more: str) -> str:
        """What some code says inside of the portal."""
        return self.portal.manage("shell", "-v", "0", "-c", code.format(vault=self.vault, machine=self.id, **more))

    def facts(self) -> dict[str, Any]:
        """What the portal's rows tell."""
        found: dict[str, Any] = json.loads(self.manage(_FACTS))
        return found

    def files(self, region: str, area: str = "") -> set[str]:
        """The paths of all that a region has of the machine, its locks left out."""
        root = self.portal.data / "storage" / region / area
        found = (root / self.vault / self.id).rglob("*")
        return {str(path.relative_to(root)) for path in found if path.is_file() and "/locks/" not in str(path)}

    def backups(self, number: int) -> str:
        """Two backups of two months ago, and one of now, each with content of its own; the newest snapshot."""
        changing = self.machine.files / "changing.bin"
        for each in range(2):
            changing.write_bytes(random.Random(2 * number + each).randbytes(700_000))  # noqa: S311 - repeatable
            when = datetime.now(UTC) - timedelta(days=61 - each)
            self.restic("backup", "--host", "pruned", "--time", f"{when:%Y-%m-%d %H:%M:%S}", str(self.machine.files))
        changing.write_bytes(random.Random(-1 - number).randbytes(700_000))  # noqa: S311 - repeatable
        self.kept.append(str(self.machine.agent("backup")["snapshot"]))
        self.manage(_AGE, kept=str(self.kept))
        return self.kept[-1]

    def restic(self, *arguments: str) -> None:
        """Stock restic on the way through the edge, with the machine's certificate."""
        (passphrase,) = self.machine.folder.glob("passphrase-*")
        given = {
            "RESTIC_REPOSITORY": f"rest:{self.portal.edge_url}/local-a/{self.vault}/{self.id}/",
            "RESTIC_PASSWORD_FILE": str(passphrase),
            "RESTIC_CACHE_DIR": str(self.machine.folder / "other-cache"),
        }
        trust = ["--cacert", str(self.portal.data / "pki" / "root.pem")]
        command = [str(RESTIC), *trust, "--tls-client-cert", str(certificate_of(self.machine)), *arguments]
        done = subprocess.run(
            command, env={**os.environ, **given}, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == 0, done.stderr

    def insist(self, command: str) -> None:
        """Repeat a command of the agent until it ends well: a fault before must not make it impossible."""

        def ends_well() -> bool:
            environment = {**os.environ, "STRONGROOM_AGENT_HOME": str(self.machine.home)}
            arguments = [str(AGENT), command, "--json"]
            done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=300, check=False)
            self.said = done.stdout + done.stderr
            return done.returncode == 0

        try:
            wait_for(f"{command} to end well", ends_well, seconds=PATIENCE, pause=1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said}") from error

    def settled(self) -> dict[str, Any]:
        """The facts once nothing is overdue and a copy round has begun and ended since."""
        began = time.time()
        self.manage(_LEASES)

        def quiet() -> dict[str, Any] | None:
            found = self.facts()
            return found if not found["overdue"] and found["complete"] >= began else None

        try:
            return wait_for("the purge and a copy round to end", quiet, seconds=PATIENCE, pause=1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.facts()}") from error


@pytest.fixture
def thinned(portal: Portal, tmp_path: Path) -> Iterator[Thinned]:
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
        vault = active_vault(portal, staff, "Pruned")
        machine = make_machine(tmp_path, "pruned", files=5, megabytes=1)
        first = machine.setup(credentials(staff, vault, tmp_path))["backup"]["snapshot"]
        portal.wait_for_copy(vault)
        yield Thinned(portal, machine, vault, machine_id(staff, vault, "pruned"), [first])


def test_prune_and_purge_survive_kills(thinned: Thinned, tmp_path: Path) -> None:
    source = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    purged = 0
    for number in range(ROUNDS):
        parts = RETAINING[number % len(RETAINING)], PURGING[number % len(PURGING)]
        delays = source.uniform(0.5, 6), source.uniform(0, 1.5)
        print(f"round {number}: {parts} killed after {delays} s")  # noqa: T201 - shown when the round fails
        newest = thinned.backups(number)
        with killed_soon(thinned.portal, parts[0], delays[0]):
            _run_once(thinned.machine, "retain")
        thinned.portal.wait_until_ready()
        thinned.insist("retain")
        before = thinned.settled()
        assert before["rows"], "The retain deleted nothing."
        _agree(thinned, before)
        thinned.manage(_PASS)
        with killed_soon(thinned.portal, parts[1], delays[1]):
            pass
        thinned.portal.wait_until_ready()
        after = thinned.settled()
        purged += len(set(before["rows"]) - set(after["rows"]))
        _agree(thinned, after)
        thinned.insist("check")
        target = tmp_path / f"back-{number}"
        thinned.machine.agent("restore", "--snapshot", newest, "--target", target)
        assert contents(restored(target, thinned.machine.files)) == contents(thinned.machine.files)
    assert purged >= 2 * ROUNDS


def _run_once(machine: Machine, command: str) -> None:
    """However it ends."""
    environment = {**os.environ, "STRONGROOM_AGENT_HOME": str(machine.home)}
    subprocess.run([str(AGENT), command], env=environment, capture_output=True, timeout=300, check=False)


def _agree(thinned: Thinned, facts: dict[str, Any]) -> None:
    """The regions with each other, their trash with the rows, and restic with all of it."""
    assert thinned.files("local-a") == thinned.files("local-b")
    rows = set(facts["rows"])
    assert not rows & thinned.files("local-a")
    for region in ("local-a", "local-b"):
        trashed = {path.partition(".")[0] for path in thinned.files(region, "trash")}
        assert trashed == rows, region
        _clean(thinned, region)


def _clean(thinned: Thinned, region: str) -> None:
    """Stock restic, reading all of the region's folder."""
    (passphrase,) = thinned.machine.folder.glob("passphrase-*")
    repository = thinned.portal.data / "storage" / region / thinned.vault / thinned.id
    command = [str(RESTIC), "-r", str(repository), "-p", str(passphrase), "--no-cache", "--no-lock"]
    done = subprocess.run([*command, "check", "--read-data"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{region}: {done.stdout}{done.stderr}"
    assert "no errors were found" in done.stdout
    assert "warn" not in (done.stdout + done.stderr).lower()
