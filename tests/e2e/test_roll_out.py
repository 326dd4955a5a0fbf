"""Many machines: the snippets of the page as their tools run them, and many lines at once against one portal."""

import html
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from tests.api_person import ApiPerson
from tests.e2e.machine import ALONE
from tests.e2e.one_line import Bare
from tests.e2e.ready import active_vault
from tests.portal_process import Portal

pytestmark = pytest.mark.system
MACHINES = int(os.environ.get("STRONGROOM_FLEET", "25"))
AT_ONCE = 8


@pytest.fixture(scope="module")
def staff(portal: Portal) -> Iterator[ApiPerson]:
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as person:
        yield person


def snippet(staff: ApiPerson, vault_id: str, key: str) -> str:
    """The text that `Copy` copies."""
    page = staff.client.get(f"/vaults/{vault_id}/quick-start/roll-out/").text
    found = re.search(rf'aria-labelledby="{key}".*?data-copy="([^"]*)"', page, re.DOTALL)
    assert found
    return html.unescape(found[1])


def vault_with_file(portal: Portal, staff: ApiPerson, name: str, file: Path, machines: int) -> str:
    """A new Active vault, with a credential for so many machines; its id."""
    vault_id = active_vault(portal, staff, name, "local")
    made = staff.post(f"vaults/{vault_id}/credentials", {"machines": machines}, status=201)
    file.write_text(json.dumps(made))
    return vault_id


def test_ansible_twice(portal: Portal, staff: ApiPerson, tmp_path: Path) -> None:
    """One machine, which is this one, with folders of its own: set up, then left alone."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "ledger").write_bytes(os.urandom(1000))
    vault_id = vault_with_file(portal, staff, "ByAnsible", tmp_path / "credentials.VaultCredentials", 1)
    (tmp_path / "strongroom.yml").write_text(snippet(staff, vault_id, "ansible"))
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
    machines = staff.get(f"vaults/{vault_id}/machines")["items"]
    assert isinstance(machines, list)
    assert [machine["state"] for machine in machines] == ["Ready"]


def test_the_commands_of_cloud_init(portal: Portal, staff: ApiPerson, tmp_path: Path) -> None:
    file = tmp_path / "credentials.VaultCredentials"
    vault_id = vault_with_file(portal, staff, "ByCloudInit", file, 1)
    text = snippet(staff, vault_id, "cloud-init").replace("/run/strongroom.VaultCredentials", str(file))
    command, clean = yaml.safe_load(text)["runcmd"]
    machine = Bare(tmp_path / "m", "by-cloud-init")
    (machine.files / "ledger").write_bytes(os.urandom(1000))
    done = machine.paste(shlex.join(command))
    assert done.returncode == 0, done
    assert "backed up and restored" in done.stdout
    subprocess.run(clean, check=True)
    assert not file.exists()


@pytest.mark.long
def test_many_machines_at_once(portal: Portal, staff: ApiPerson, tmp_path: Path) -> None:
    """STRONGROOM_FLEET machines, each with a home of its own, by the line with one file: all proven, none asked, and a
    second run changes nothing."""
    file = tmp_path / "credentials.VaultCredentials"
    vault_id = vault_with_file(portal, staff, "Fleet", file, MACHINES)
    text = snippet(staff, vault_id, "cloud-init").replace("/run/strongroom.VaultCredentials", str(file))
    line = shlex.join(yaml.safe_load(text)["runcmd"][0])
    machines = [Bare(tmp_path / f"m{number}", f"m{number}") for number in range(MACHINES)]
    for machine in machines:
        (machine.files / "ledger").write_bytes(os.urandom(50_000))

    def twice(machine: Bare) -> list[str]:
        return [json.loads(machine.paste(line, "--json").stdout or '{"code": ""}')["code"] for _ in range(2)]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(twice, machines))
    assert codes == [["done", "done_already"]] * MACHINES
    listed = staff.get(f"vaults/{vault_id}/machines?limit=500")["items"]
    assert isinstance(listed, list)
    assert [machine["state"] for machine in listed] == ["Ready"] * MACHINES
