"""Each row of the contract's table of errors at registration, from the real agent's command line to the real portal."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import make_machine
from tests.e2e.ready import active_vault
from tests.portal_process import Portal

pytestmark = pytest.mark.system

INVALID = "Invalid vault credentials provided."
ROWS = {
    "expired": ("credential_expired", "Vault credentials file provided has expired."),
    "replaced": ("credential_superseded", f"{INVALID} A newer file was downloaded at "),
    "ended": ("credential_superseded", f"{INVALID} A member of the vault ended it at "),
    "used up": ("credential_used_up", f"{INVALID} It was issued for 1 machine and has been used by resident."),
    "edited": ("credential_invalid", f"{INVALID} Its signature does not fit its content"),
    "not ours": ("credential_invalid", f"{INVALID} Its signature does not fit its content"),
    "without key": ("credential_without_key", INVALID),
    "another file": ("credential_unreadable", "Unable to read the vault credentials file."),
    "not active": ("vault_not_active", "The vault Refusals is Failed"),
    "name taken": ("machine_exists", "A machine named resident is already registered in the vault Refusals."),
    "clock": ("clock_skew", "This machine's clock is at least 9 minutes"),
}


class Table:
    """A vault with one machine, `resident`, and the ways to a file that is refused."""

    def __init__(self, portal: Portal, staff: ApiPerson, folder: Path) -> None:
        self.portal, self.staff, self.folder = portal, staff, folder
        self.vault = active_vault(portal, staff, "Refusals")
        self.used = self.issue()
        make_machine(folder, "resident", files=1, megabytes=1).setup(self.write("used", self.used))

    def issue(self) -> dict[str, Any]:
        """The document of a new credential."""
        document: dict[str, Any] = self.staff.post(f"vaults/{self.vault}/credentials", {}, status=201)
        return document

    def write(self, name: str, document: dict[str, Any]) -> Path:
        path = self.folder / f"{name}.VaultCredentials"
        path.write_text(json.dumps(document))
        return path

    def change(self, code: str) -> None:
        """Change rows as time and mishaps would; `vault` and `newest` are there."""
        prelude = (
            "from datetime import timedelta; from vaults.models import Credential, Vault;"
            f"vault = Vault.objects.filter(pk='{self.vault}');"
            "newest = Credential.objects.filter(pk=vault.get().credentials.latest('issued_at').pk);"
        )
        self.portal.manage("shell", "-v", "0", "-c", prelude + code)

    def end(self) -> None:
        """Press `End now`."""
        data = {"csrfmiddlewaretoken": self.staff.client.cookies["csrftoken"]}
        headers = {"Referer": str(self.staff.client.base_url)}
        self.staff.client.post(f"/vaults/{self.vault}/credentials/end/", data=data, headers=headers).raise_for_status()

    def refused(self, row: str, path: Path, name: str = "late") -> None:
        """Have the agent set a machine up with the file, and look at what it says."""
        code, begins = ROWS[row]
        machine = make_machine(self.folder / f"machine {row}", name, files=1, megabytes=1)
        answer = machine.setup(path, status=3)
        assert (answer["code"], answer["message"][: len(begins)]) == (code, begins), answer
        assert answer["remedy"].endswith(".")
        assert answer["message"].endswith(answer["remedy"])
        assert not (machine.home / "identity.json").exists()


def expired(table: Table) -> Path:
    document = table.issue()
    table.change("newest.update(expires_at=newest.get().issued_at)")
    return table.write("expired", document)


def replaced(table: Table) -> Path:
    document = table.issue()
    table.issue()
    return table.write("replaced", document)


def ended(table: Table) -> Path:
    document = table.issue()
    table.end()
    return table.write("ended", document)


def not_active(table: Table) -> Path:
    document = table.issue()
    table.change("vault.update(state='Failed')")
    return table.write("not active", document)


def from_a_clock_ahead(table: Table) -> Path:
    """The portal issues no earlier than before; so after one that is dated ahead the next one is too."""
    table.change("vault.update(state='Active')")
    table.issue()
    table.change("newest.update(issued_at=newest.get().issued_at + timedelta(minutes=10))")
    return table.write("clock", table.issue())


def not_a_credential(table: Table) -> Path:
    path = table.folder / "another file"
    path.write_bytes(b"\x89PNG\r\n")
    return path


FILES: dict[str, Callable[[Table], Path]] = {
    "used up": lambda table: table.write("used up", table.used),
    "name taken": lambda table: table.write("name taken", table.issue()),
    "expired": expired,
    "replaced": replaced,
    "ended": ended,
    "edited": lambda table: table.write("edited", {**table.used, "edge_url": "https://elsewhere.example"}),
    "not ours": lambda table: table.write("not ours", {**table.used, "signature": table.issue()["signature"]}),
    "without key": lambda table: table.write("without key", {**table.issue(), "private_key": ""}),
    "another file": not_a_credential,
    "not active": not_active,
    "clock": from_a_clock_ahead,  # the last one: nothing that is issued after it can be used for ten minutes
}


@pytest.fixture
def table(portal: Portal, tmp_path: Path) -> Iterator[Table]:
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
        yield Table(portal, staff, tmp_path)


def test_every_row(table: Table) -> None:
    """Its code, how its message begins, and a remedy in the same message; nothing is registered by any of them."""
    assert FILES.keys() == ROWS.keys()
    for row, file in FILES.items():
        table.refused(row, file(table), "resident" if row == "name taken" else "late")
    registered = table.staff.get(f"vaults/{table.vault}/machines")["items"]
    assert [one["name"] for one in registered] == ["resident"]
