"""What the documentation has people type, typed as it stands there: only folders are others, and IDs the real ones."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import ALONE, ROOT, contents
from tests.e2e.ready import active_vault, credentials, machine_id
from tests.portal_process import Portal

pytestmark = pytest.mark.system
LIMIT = 300
BLOCK = re.compile(r"^( *)```sh\n(.*?)^\1```$", re.S | re.M)
FOLDERS = ("/var/cache", "/var/tmp", "/opt", "/mnt", "/srv", "/root")


def blocks(page: str) -> list[str]:
    """What a page has one type, block by block."""
    return [code.replace(f"\n{indent}", "\n") for indent, code in BLOCK.findall((ROOT / "docs" / page).read_text())]


@dataclass
class Computer:
    """A computer of its own, as far as a folder can be one: `root` has what the pages call /srv, /opt and so on."""

    root: Path
    name: str = "ledger"
    instead: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("home", "work", *(each.strip("/") for each in FOLDERS)):
            (self.root / folder).mkdir(parents=True)

    @property
    def srv(self) -> Path:
        """What is protected."""
        return self.root / "srv"

    @property
    def work(self) -> Path:
        """Where things are typed."""
        return self.root / "work"

    def type(self, page: str, *numbers: int) -> str:
        """Type blocks of a page into one shell; what they said. Anything in it that fails is the end."""
        script = "".join(blocks(page)[number] for number in numbers)
        for folder in FOLDERS:
            script = re.sub(rf"{folder}\b", f"{self.root}{folder}", script)
        script = script.replace("setup --unattended", f"setup --unattended --name {self.name}")
        for shown, real in self.instead.items():
            assert shown in script
            script = script.replace(shown, real)
        path = f"{ROOT / '.venv' / 'bin'}:/usr/bin:/bin"
        done = subprocess.run(
            ["/bin/sh", "-ec", script],
            cwd=self.work,
            env={"HOME": str(self.root / "home"), "PATH": path, **ALONE},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def fill(self) -> dict[str, bytes | str]:
        """Something to protect; what it is."""
        (self.srv / "books ä").mkdir()
        for number in range(5):
            (self.srv / "books ä" / f"{number}").write_bytes(os.urandom(50_000))
        (self.srv / "link").symlink_to("books ä")
        return contents(self.srv)


@dataclass
class Ways:
    """A vault, and staff who download its credentials to a computer."""

    portal: Portal
    staff: ApiPerson
    vault: str

    def give(self, computer: Computer) -> None:
        """Vault credentials, the only ones there."""
        for old in computer.work.glob("*.VaultCredentials"):
            old.unlink()
        credentials(self.staff, self.vault, computer.work)

    def give_replacement(self, computer: Computer) -> None:
        """Replacement credentials that a second person agreed to."""
        number = machine_id(self.staff, self.vault, computer.name)
        asked = self.staff.post(f"machines/{number}/replacements", {"reason": "It burned."}, status=201)
        with closing(ApiPerson(self.portal.portal_url, "approver", self.portal.accounts["approver"])) as approver:
            approver.post(f"replacements/{asked['id']}/approve", {"comment": "", "digest": asked["digest"]})
        answer = self.staff.call("POST", f"replacements/{asked['id']}/credentials", {})
        assert answer.status_code == 201, answer.text
        (computer.work / "Ways_ledger.VaultCredentials").write_bytes(answer.content)


@pytest.fixture
def ways(portal: Portal) -> Iterator[Ways]:
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
        yield Ways(portal, staff, active_vault(portal, staff, f"Ways-{uuid4().hex[:6]}"))


@pytest.fixture
def installed(ways: Ways, tmp_path: Path) -> Computer:
    """A computer on which all of docs/installing.md was typed, beginning with the download."""
    computer = Computer(tmp_path / "first")
    computer.fill()
    ways.give(computer)
    page = ways.staff.client.get("/agents/").raise_for_status().text
    link = re.search(r'href="(/agents/files/(strongroom-agent-[^"]*-linux-[^"]*(?<!\.sig)))"', page)
    assert link, page
    program = httpx.get(f"{ways.portal.portal_url}{link[1]}").raise_for_status().content
    (computer.work / link[2]).write_bytes(program)
    for number in range(len(blocks("installing.md"))):
        assert computer.type("installing.md", number)
    return computer


def test_moving_the_cache(installed: Computer, ways: Ways) -> None:
    assert (installed.root / "var" / "cache" / "strongroom-agent").is_dir()
    ways.give(installed)
    said = [installed.type("moving-the-cache.md", number) for number in range(2)]
    assert len(blocks("moving-the-cache.md")) == 2
    assert "backed up and restored" in said[0]
    assert (installed.root / "mnt" / "large" / "strongroom-agent" / "restic").is_dir()
    assert not (installed.root / "var" / "cache" / "strongroom-agent").exists()
    assert ways.staff.get(f"vaults/{ways.vault}")["machines"] == 1


@pytest.mark.long
def test_a_cache_folder_that_is_gone_already_is_moved_too(installed: Computer, ways: Ways) -> None:
    shutil.rmtree(installed.root / "var" / "cache" / "strongroom-agent")
    ways.give(installed)
    assert "backed up and restored" in installed.type("moving-the-cache.md", 0)


def test_restoring_on_a_new_machine(installed: Computer, ways: Ways, tmp_path: Path) -> None:
    """With nothing but passphrase and replacement credentials."""
    page, before = "restoring-on-a-new-machine.md", contents(installed.srv)
    passphrase = (installed.root / "root" / "strongroom-passphrase").read_text()
    shutil.rmtree(installed.root)
    new = Computer(installed.root)
    (new.work / "passphrase.txt").write_text(passphrase)
    ways.give_replacement(new)

    assert len(blocks(page)) == 5
    new.type(page, 0)
    assert "There are 2 snapshots from before" in new.type(page, 1)
    _, before_last, _ = re.findall(r"^([0-9a-f]{8})  ", new.type(page, 2), re.M)
    new.instead = {"1a2b3c4d": before_last}
    new.type(page, 3)
    new.instead = {}
    new.type(page, 4)
    assert contents(new.srv) == before
    assert sorted(path.name for path in new.work.iterdir()) == ["Ways_ledger.VaultCredentials"]
    shown = ways.staff.get(f"machines/{machine_id(ways.staff, ways.vault, 'ledger')}")
    assert (shown["state"], shown["attention"]) == ("Ready", "")


def test_leaving(installed: Computer, ways: Ways) -> None:
    """With all backups, which open without anything of ours."""
    page, before = "leaving.md", contents(installed.srv)
    assert len(blocks(page)) == 4
    said = installed.type(page, 0, 1)
    assert "no errors were found" in said
    assert "2 snapshots" in said
    assert contents(installed.root / "mnt" / "restored" / installed.srv.relative_to("/")) == before
    assert "is no longer registered with vault" in installed.type(page, 2)
    installed.type(page, 3)
    assert [path.name for path in (installed.root / "opt").iterdir()] == []
    (kept,) = (installed.root / "home" / ".config" / "strongroom-agent").glob("passphrase*")
    assert kept.read_text() == (installed.root / "root" / "strongroom-passphrase").read_text()
