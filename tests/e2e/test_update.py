"""A release from the computer that signs it to a machine: the agent's single file, the real portal and its edge."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from deploy.update_key.__main__ import main as update_key
from tests.api_person import ApiPerson
from tests.e2e.machine import ALONE, ROOT, Machine, contents, make_machine, restored
from tests.e2e.ready import active_vault, credentials
from tests.portal_process import Portal, running

pytestmark = pytest.mark.system
STAGE = """
from agents.models import AgentRelease
from agents.packages import releases
from portal.core.actor import SYSTEM
releases.stage(AgentRelease.objects.get(version="{version}").pk, {share}, [], actor=SYSTEM)
"""


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The computer with the key: a folder."""
    folder = tmp_path_factory.mktemp("signing")
    assert update_key(["new", str(folder / "key")]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "deploy.update_key", "public", folder / "key"], cwd=ROOT, capture_output=True, check=True
    )
    (folder / "update-keys.json").write_bytes(done.stdout)
    return folder


@pytest.fixture(scope="module")
def portal(signing: Path) -> Iterator[Portal]:
    """One whose agents know that key."""
    with running(AGENT_UPDATE_KEYS=str(signing / "update-keys.json")) as portal:
        yield portal


def build(signing: Path, version: str) -> Path:
    """The agent's single file, as that version."""
    sources = signing / f"sources-{version}"
    shutil.copytree(ROOT / "agents" / "client", sources, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    start = sources / "strongroom_agent" / "__init__.py"
    start.write_text(start.read_text().replace('__version__ = "1.0.0"', f'__version__ = "{version}"'))
    program = signing / f"agent-{version}"
    builder = [sys.executable, str(sources / "build_package.py"), str(program)]
    subprocess.run([*builder, "--update-keys", signing / "update-keys.json"], capture_output=True, check=True)
    return program


def run(machine: Machine, program: Path, *arguments: str | Path, status: int = 0) -> dict[str, Any]:
    """What the installed program answers."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(machine.folder),
        "STRONGROOM_AGENT_HOME": str(machine.home),
        **ALONE,
    }
    done = subprocess.run(
        [program, *arguments, "--json"], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == status, (done.stdout, done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_signed_release_reaches_a_machine_when_it_is_its_turn(portal: Portal, signing: Path, tmp_path: Path) -> None:
    (package,) = [path for path in (portal.data / "agents").iterdir() if path.suffix not in {".sig", ".json"}]
    machine = make_machine(tmp_path, "updated", files=5, megabytes=1)
    program = machine.folder / "install" / "strongroom-agent"
    downloaded = machine.folder / "downloaded"
    shutil.copy(package, downloaded)
    downloaded.chmod(0o755)
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
        vault = active_vault(portal, staff, "Updates")
        setup: list[str | Path] = [
            "setup",
            "--unattended",
            "--credentials",
            credentials(staff, vault, tmp_path),
            "--name",
            "updated",
        ]
        setup += ["--install-dir", program.parent, "--cache-dir", machine.folder / "cache", "--protect", machine.files]
        setup += ["--generate-passphrase", "--save-passphrase-to", machine.folder / "passphrase"]
        run(machine, downloaded, *setup)
        assert run(machine, program, "update")["code"] == "no_release"
        out = str(signing / "release")
        sign = ["sign", out, "--single-file", str(build(signing, "1.1.0")), "--version", "1.1.0"]
        assert update_key([*sign, "--key", str(signing / "key")]) == 0
        assert "No machine takes it yet" in portal.manage("publish_release", out)
        assert run(machine, program, "update")["code"] == "update_not_staged"
        portal.manage("shell", "-v", "0", "-c", STAGE.format(version="1.1.0", share=100))
        assert run(machine, program, "update", "--check")["code"] == "update_available"
        assert run(machine, program, "backup", "--scheduled")["code"] == "done"
        # The scheduled run has brought it; the new one backs up, proves and restores.
        assert run(machine, program, "update")["code"] == "up_to_date"
        assert run(machine, program, "status")["agent_version"] == "1.1.0"
        assert run(machine, program, "check")["code"] == "done"
        run(machine, program, "restore", "--target", tmp_path / "back")
        assert contents(restored(tmp_path / "back", machine.files)) == contents(machine.files)
        assert staff.get(f"vaults/{vault}/machines")["items"][0]["agent_version"] == "1.1.0"
        # What was there before is kept, and the restic beside it still found.
        previous = program.with_name(".strongroom-agent.previous")
        assert previous.read_bytes() == package.read_bytes()
