"""What the edge is tried on: two machines with backups in one vault, and certificates that are no good."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from portal.pki.crypto import certificates, issuing, keys
from portal.pki.crypto.certificates import Kind, Profile
from tests.api_person import ApiPerson
from tests.e2e.ready import active_vault, certificate_of, credential_pair, credentials, machine_id, ready_machine
from tests.e2e.wire import Answer
from tests.portal_process import Portal

DAY = timedelta(days=1)
Wanted = dict[str, Any]
"""A certificate: `begin` and `end` in days from now; with `row`, the portal has one, with these columns moved."""
_ISSUE = """
import json, sys
from datetime import timedelta
from django.utils import timezone
from agents.models import Machine, MachineCertificate
from portal.pki import authorities
from portal.pki.crypto import certificates, issuing, keys
from portal.pki.crypto.certificates import Kind, Profile

machine = Machine.objects.get(pk="{machine}")
now = timezone.now().replace(microsecond=0)

def issue(begin, end, row=None):
    key, begin, end = keys.new_key(), now + timedelta(days=begin), now + timedelta(days=end)
    profile = Profile(Kind.MACHINE, machine.pk)
    leaf = issuing.issue_client(authorities.client_authority(), key.public_key(), profile, at=begin, until=end)
    if row is not None:
        given = {{name: days if days is None else now + timedelta(days=days) for name, days in row.items()}}
        MachineCertificate.objects.create(
            machine=machine, serial=certificates.serial(leaf), fingerprint=certificates.fingerprint(leaf),
            key_digest=keys.digest(key.public_key()), certificate=authorities.client_chain_pem(leaf), not_before=begin,
            **{{"not_after": end, **given}},
        )
    return authorities.client_chain_pem(leaf) + keys.private_pem(key)

print(json.dumps({{kind: issue(**wanted) for kind, wanted in json.loads('''{wanted}''').items()}}))
"""


@dataclass
class World:
    """A vault with the machines `owner` and `neighbour`; certificates are PEM files with their keys."""

    portal: Portal
    folder: Path
    vault: str
    owner: str
    neighbour: str
    owners: Path
    neighbours: Path
    credential: Path

    @property
    def own(self) -> str:
        """The address of the owner's repository, without a slash at the end."""
        return f"/local-a/{self.vault}/{self.owner}"

    @cached_property
    def secrets(self) -> list[bytes]:
        """What no refusal may show: contents of the owner's small objects, and names of all of its objects."""
        mine = self.portal.data / "storage" / "local-a" / self.vault / self.owner
        files = [path for path in mine.rglob("*") if path.is_file()]
        small = [path.read_bytes() for path in files if path.parent.name in {"keys", self.owner}]
        return small + [path.name.encode() for path in files if len(path.name) == 64]

    @property
    def genuine(self) -> str:
        """The name of one of the owner's data objects."""
        data = self.portal.data / "storage" / "local-a" / self.vault / self.owner / "data"
        return min(path.name for path in data.rglob("*") if path.is_file())

    def stored(self) -> dict[str, tuple[int, int]]:
        """Every file of the region, and of the vault's copy: size and time of last change; folders by name alone.

        Other vaults may be copied to the pair meanwhile, so of the pair it is this vault's folder.
        """
        root = self.portal.data / "storage"
        found = [*(root / "local-a").rglob("*"), *(root / "local-b" / self.vault).rglob("*")]
        found = [path for path in found if "strongroom" not in path.relative_to(root).parts]  # the worker's probe
        seen = {str(path.relative_to(root)): path.stat() if path.is_file() else None for path in found}
        return {path: (one.st_size, one.st_mtime_ns) if one else (0, 0) for path, one in seen.items()}

    def issued(self, wanted: dict[str, Wanted]) -> dict[str, Path]:
        """Certificates of our client CA for `owner`, by kind, with the times and rows that are wanted."""
        made = self.portal.manage(
            *("shell", "-v", "0", "-c", _ISSUE.format(machine=self.owner, wanted=json.dumps(wanted)))
        )
        return {kind: self._kept(pem) for kind, pem in json.loads(made).items()}

    def another_cas(self) -> Path:
        """A certificate for `owner` by a CA that looks like ours."""
        now = timezone.now()
        root = issuing.new_root("Strongroom root", at=now, until=now + DAY)
        issuer = issuing.new_issuer(root, "Strongroom clients", issuing.Usage.CLIENT, at=now, until=now + DAY)
        key = keys.new_key()
        profile = Profile(Kind.MACHINE, UUID(self.owner))
        leaf = issuing.issue_client(issuer, key.public_key(), profile, at=now, until=now + DAY)
        return self._kept(certificates.pem(leaf, issuer.certificate) + keys.private_pem(key))

    def _kept(self, pem: str) -> Path:
        path = self.folder / f"{uuid4()}.pem"
        path.write_text(pem)
        return path


@pytest.fixture(scope="session")
def world(portal: Portal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One vault with two machines for all tests that leave it as it is; its copy in the pair is complete."""
    folder = tmp_path_factory.mktemp("edge")
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
        vault = active_vault(portal, staff, f"Edge-{uuid4().hex[:6]}")
        credential = credentials(staff, vault, folder, machines=2)
        owner, _ = ready_machine(folder, "owner", credential)
        neighbour, _ = ready_machine(folder, "neighbour", credential)
        portal.wait_for_copy(vault)
        yield World(
            portal,
            folder,
            vault,
            machine_id(staff, vault, "owner"),
            machine_id(staff, vault, "neighbour"),
            certificate_of(owner),
            certificate_of(neighbour),
            credential_pair(credential),
        )


@pytest.fixture
def untouched(world: World) -> Iterator[Callable[[Answer], int]]:
    """Takes each answer, gives its status, and fails when one shows what is stored, or when anything was stored."""
    before = world.stored()

    def look(answer: Answer) -> int:
        assert [secret for secret in world.secrets if secret in answer.body] == []
        return answer.status

    yield look
    assert world.stored() == before
