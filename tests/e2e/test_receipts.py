"""Proof on the real portal: receipts are stored, given out, and verified offline; and how old a proof is, is told."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import make_machine
from tests.e2e.ready import active_vault, credentials, machine_id
from tests.portal_process import Portal

pytestmark = pytest.mark.system


@pytest.fixture
def staff(portal: Portal) -> Iterator[ApiPerson]:
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as person:
        yield person


def test_receipts_verify_offline_as_the_machine_and_as_the_portal_have_them(
    portal: Portal, staff: ApiPerson, tmp_path: Path
) -> None:
    vault = active_vault(portal, staff, f"Receipts-{uuid4().hex[:6]}", "local")
    machine = make_machine(tmp_path, "signer", files=4, megabytes=1)
    named = next(path for path in machine.files.rglob("*") if path.is_file())
    machine.setup(credentials(staff, vault, tmp_path), "--always-prove", named)
    checked = machine.agent("check")
    assert (checked["code"], checked["named"]) == ("done", 1)
    number = machine_id(staff, vault, "signer")
    folder, root = tmp_path / "receipts", tmp_path / "root.pem"
    assert machine.agent("receipts", "--to", folder)["receipts"] == 4  # of setup two, of the check two
    root.write_text(httpx.get(f"{portal.edge_url}/agents/root.pem", verify=False).raise_for_status().text)  # noqa: S501
    assert verified(folder, root) == ["good"] * 4
    page = staff.client.get(f"/machines/{number}/").raise_for_status().text
    links = sorted({part.split('"')[0] for part in page.split('href="')[1:] if f"{number}/receipts/" in part})
    assert len(links) == 4
    given = {staff.client.get(link).raise_for_status().text for link in links}
    assert given == {path.read_text() for path in folder.glob("*.jws")}
    assert "restored byte for byte" in page
    assert "Restoring all of it (" in page
    wrong = machine.agent("schedule", "--always-prove", tmp_path / "gone")
    assert wrong["options"]["always_prove"] == [str(tmp_path / "gone")]
    missing = machine.agent("check")
    assert missing["code"] == "done_without_named"
    assert staff.get(f"machines/{number}")["attention"] == "Named missing"


def verified(folder: Path, root: Path) -> list[str]:
    """How the program in the folder judges each receipt there."""
    command = [sys.executable, "-I", str(folder / "verify.py"), str(folder), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split()[0] for line in done.stdout.splitlines()]
