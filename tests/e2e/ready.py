"""Vaults, credential files and machines that are ready for a test, made through the API and by the real agent."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.api_person import ApiPerson
from tests.e2e.machine import Machine, make_machine
from tests.portal_process import Portal
from tests.waiting import wait_for


def active_vault(portal: Portal, staff: ApiPerson, name: str, redundancy: str = "geo") -> str:
    """The id of a new Active vault."""
    asked = staff.request_vault(name, redundancy)
    with closing(ApiPerson(portal.portal_url, "approver", portal.accounts["approver"])) as approver:
        decided = approver.post(f"vault-requests/{asked['id']}/approve", {"comment": "", "digest": asked["digest"]})
    vault_id: str = decided["vault_id"]
    wait_for(f"{name} to become Active", lambda: staff.get(f"vaults/{vault_id}")["state"] == "Active")
    return vault_id


def credentials(staff: ApiPerson, vault_id: str, folder: Path, machines: int = 1) -> Path:
    """A credential file with a key made by the portal."""
    document = staff.post(f"vaults/{vault_id}/credentials", {"machines": machines}, status=201)
    path = folder / f"{document['issued_at'].replace(':', '')}.VaultCredentials"
    path.write_text(json.dumps(document))
    return path


def ready_machine(folder: Path, name: str, credential: Path) -> tuple[Machine, dict[str, Any]]:
    """A machine that has been set up with the credential; returns also what `setup` answered."""
    machine = make_machine(folder, name, files=3, megabytes=1)
    return machine, machine.setup(credential)


def machine_id(staff: ApiPerson, vault_id: str, name: str) -> str:
    """The number of the machine of that name in the vault."""
    found = {one["name"]: one["id"] for one in staff.get(f"vaults/{vault_id}/machines")["items"]}
    return str(found[name])


def credential_pair(credential: Path) -> Path:
    """The certificate and key out of a credential file, as one PEM file."""
    document = json.loads(credential.read_text())
    path = credential.with_suffix(".pem")
    path.write_text(document["certificate"] + document["private_key"])
    return path


def certificate_of(machine: Machine) -> Path:
    """The file with the machine's certificate chain and key, as restic takes it."""
    return machine.home / "client.pem"
