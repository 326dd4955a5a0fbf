"""Who is refused at the real edge: other machines, other vaults, strangers, and credentials that no longer count."""

import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import make_machine
from tests.e2e.ready import active_vault, certificate_of, credential_pair, credentials, ready_machine
from tests.portal_process import Portal

pytestmark = pytest.mark.system


@pytest.fixture
def staff(portal: Portal) -> Iterator[ApiPerson]:
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as person:
        yield person


def edge(portal: Portal, certificate: Path | None) -> httpx.Client:
    """A client of the machine port, with the certificate and key in one PEM file, or with none."""
    context = ssl.create_default_context(cafile=str(portal.data / "pki" / "root.pem"))
    if certificate:
        context.load_cert_chain(certificate)
    return httpx.Client(base_url=portal.edge_url, verify=context, timeout=20)


def test_only_its_own_machine_reaches_a_folder(portal: Portal, staff: ApiPerson, tmp_path: Path) -> None:
    """The owner's certificate opens its repository; nobody else's does, in reading or in writing."""
    vault, other_vault = active_vault(portal, staff, "Ledger"), active_vault(portal, staff, "Images")
    both = credentials(staff, vault, tmp_path, machines=2)
    owner, _ = ready_machine(tmp_path, "owner", both)
    neighbour, _ = ready_machine(tmp_path, "neighbour", both)
    foreign = credentials(staff, other_vault, tmp_path)
    stranger, _ = ready_machine(tmp_path, "stranger", foreign)
    names = {one["name"]: one["id"] for one in staff.get(f"vaults/{vault}/machines")["items"]}
    config = f"/local-a/{vault}/{names['owner']}/config"

    with edge(portal, certificate_of(owner)) as client:
        assert client.get(config).status_code == 200
    for who, certificate in {
        "a second machine": certificate_of(neighbour),
        "a machine of another vault": certificate_of(stranger),
        "a credential": credential_pair(both),
        "nobody": None,
    }.items():
        with edge(portal, certificate) as client:
            assert client.get(config).status_code == 403, who
            lock = config.replace("config", "locks/" + "0" * 64)
            assert client.post(lock, content=b"junk").status_code == 403, who
            assert client.delete(lock).status_code == 403, who


def test_credentials_that_no_longer_count(portal: Portal, staff: ApiPerson, tmp_path: Path) -> None:
    """Expired, replaced and used up: refused by the portal with the code and the beginning of the contract."""
    vault = active_vault(portal, staff, "Archive")
    first = credentials(staff, vault, tmp_path)
    used = credentials(staff, vault, tmp_path)
    ready_machine(tmp_path, "first", used)

    replaced = make_machine(tmp_path, "late", files=1, megabytes=1).setup(first, status=3)
    assert replaced["code"] == "credential_superseded"
    assert replaced["message"].startswith("Invalid vault credentials provided.")

    used_up = make_machine(tmp_path, "second", files=1, megabytes=1).setup(used, status=3)
    assert used_up["code"] == "credential_used_up"
    assert "first" in used_up["message"]

    expired = credentials(staff, vault, tmp_path)
    serial_moved = portal.manage(
        *("shell", "-v", "0", "-c"),
        "from datetime import timedelta; from django.db.models import F; from vaults.models import Credential;"
        f"valid = Credential.objects.filter(ended_at=None, vault='{vault}');"
        "print(valid.update(expires_at=F('issued_at') - timedelta(hours=1)))",
    )
    assert serial_moved.strip() == "1"
    late = make_machine(tmp_path, "third", files=1, megabytes=1).setup(expired, status=3)
    assert late["code"] == "credential_expired"
    assert late["message"].startswith("Vault credentials file provided has expired.")
    assert [one["name"] for one in staff.get(f"vaults/{vault}/machines")["items"]] == ["first"]
