"""Many machines: the snippets of the page as their tools run them, and many lines at once against one portal."""

import html
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import yaml

from tests.e2e.machine import ALONE
from tests.e2e.one_line import Bare
from tests.portal_process import Portal
from tests.waiting import wait_for

pytestmark = pytest.mark.system
MACHINES = int(os.environ.get("STRONGROOM_FLEET", "25"))
AT_ONCE = 8


class Staff:
    """Somebody's script: a session, without a browser."""

    def __init__(self, portal: Portal, username: str) -> None:
        self.portal = portal
        self.client = httpx.Client(base_url=portal.portal_url, follow_redirects=True, timeout=60)
        self.client.headers["Referer"] = portal.portal_url
        page = self.client.get("/accounts/login/").text
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)', page)
        assert token
        form = {"username": username, "password": portal.accounts[username], "csrfmiddlewaretoken": token[1]}
        assert self.client.post("/accounts/login/", data=form).status_code == 200

    def call(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """An answer of the API."""
        headers = {"X-CSRFToken": self.client.cookies["csrftoken"]}
        answer = self.client.request(method, f"/api/v1{path}", json=body, headers=headers)
        assert answer.is_success, answer.text
        found: dict[str, object] = answer.json()
        return found

    def snippet(self, vault_id: str, key: str) -> str:
        """The text that `Copy` copies."""
        page = self.client.get(f"/vaults/{vault_id}/quick-start/roll-out/").text
        found = re.search(rf'aria-labelledby="{key}".*?data-copy="([^"]*)"', page, re.DOTALL)
        assert found
        return html.unescape(found[1])


@pytest.fixture(scope="module")
def staff(portal: Portal) -> Staff:
    return Staff(portal, "staff")


def vault_with_file(portal: Portal, staff: Staff, name: str, file: Path, machines: int) -> str:
    """A new Active vault, with a credential for so many machines; its id."""
    wanted = {"subscription": "Default", "name": name, "region": "Local A", "redundancy": "local", "reason": "fleet"}
    asked = staff.call("POST", "/vault-requests", wanted)
    agreed = {"comment": "", "digest": asked["digest"]}
    vault_id = str(Staff(portal, "approver").call("POST", f"/vault-requests/{asked['id']}/approve", agreed)["vault_id"])
    wait_for("the vault to be Active", lambda: staff.call("GET", f"/vaults/{vault_id}")["state"] == "Active")
    file.write_text(json.dumps(staff.call("POST", f"/vaults/{vault_id}/credentials", {"machines": machines})))
    return vault_id


def test_ansible_twice(portal: Portal, staff: Staff, tmp_path: Path) -> None:
    """One machine, which is this one, with folders of its own: set up, then left alone."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "ledger").write_bytes(os.urandom(1000))
    vault_id = vault_with_file(portal, staff, "ByAnsible", tmp_path / "credentials.VaultCredentials", 1)
    (tmp_path / "strongroom.yml").write_text(staff.snippet(vault_id, "ansible"))
    ours = {
        "strongroom_become": False,
        "work": str(tmp_path / "work"),
        "install": str(tmp_path / "program"),
        "cache": str(tmp_path / "cache"),
        "passphrase": str(tmp_path / "passphrase"),
        "protect": [str(tmp_path / "files")],
        "ansible_python_interpreter": sys.executable,
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local"]
    command += ["-e", json.dumps(ours), "strongroom.yml"]
    environment = {
        "PATH": os.environ["PATH"],
        **ALONE,
        "HOME": str(tmp_path / "home"),
        "LANG": "C.UTF-8",
        "ANSIBLE_LOCALHOST_WARNING": "False",
    }
    for changed in (3, 0):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(rf"changed={changed} .*failed=0", done.stdout), done.stdout
    assert not (tmp_path / "work" / "credentials.VaultCredentials").exists()
    machines = staff.call("GET", f"/vaults/{vault_id}/machines")["items"]
    assert isinstance(machines, list)
    assert [machine["state"] for machine in machines] == ["Ready"]


def test_the_commands_of_cloud_init(portal: Portal, staff: Staff, tmp_path: Path) -> None:
    file = tmp_path / "credentials.VaultCredentials"
    vault_id = vault_with_file(portal, staff, "ByCloudInit", file, 1)
    text = staff.snippet(vault_id, "cloud-init").replace("/run/strongroom.VaultCredentials", str(file))
    command, clean = yaml.safe_load(text)["runcmd"]
    machine = Bare(tmp_path / "m", "by-cloud-init")
    (machine.files / "ledger").write_bytes(os.urandom(1000))
    done = machine.paste(shlex.join(command))
    assert done.returncode == 0, done
    assert "backed up and restored" in done.stdout
    subprocess.run(clean, check=True)
    assert not file.exists()


@pytest.mark.long
def test_many_machines_at_once(portal: Portal, staff: Staff, tmp_path: Path) -> None:
    """STRONGROOM_FLEET machines, each with a home of its own, by the line with one file: all proven, none asked, and a
    second run changes nothing."""
    file = tmp_path / "credentials.VaultCredentials"
    vault_id = vault_with_file(portal, staff, "Fleet", file, MACHINES)
    text = staff.snippet(vault_id, "cloud-init").replace("/run/strongroom.VaultCredentials", str(file))
    line = shlex.join(yaml.safe_load(text)["runcmd"][0])
    machines = [Bare(tmp_path / f"m{number}", f"m{number}") for number in range(MACHINES)]
    for machine in machines:
        (machine.files / "ledger").write_bytes(os.urandom(50_000))

    def twice(machine: Bare) -> list[str]:
        return [json.loads(machine.paste(line, "--json").stdout or '{"code": ""}')["code"] for _ in range(2)]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(twice, machines))
    assert codes == [["done", "done_already"]] * MACHINES
    listed = staff.call("GET", f"/vaults/{vault_id}/machines?limit=500")["items"]
    assert isinstance(listed, list)
    assert [machine["state"] for machine in listed] == ["Ready"] * MACHINES
