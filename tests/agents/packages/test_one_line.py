"""The line and the snippets as texts: what stands in them, and that shells, parsers and tools can read them."""

import itertools
import json
import re
import shlex
import subprocess
from datetime import timedelta
from uuid import uuid4

import pytest
import tree_sitter_powershell
import yaml
from django.conf import settings
from django.test import Client
from django.utils import timezone
from tree_sitter import Language, Node, Parser

from agents.models import AgentPackage
from agents.packages import one_line, snippets
from agents.packages.choice import best_for
from portal.accounts.models import User
from portal.pki import authorities
from portal.pki.crypto import certificates
from tests.agents.factories import package
from vaults.models import Vault

pytestmark = pytest.mark.django_db


@pytest.fixture
def linux() -> AgentPackage:
    return package(file_name="strongroom-agent-1.0.0-linux-x86_64-9f2c9f2c")


@pytest.fixture
def windows() -> AgentPackage:
    return package("windows", kind="installer", file_name="strongroom-agent-1.0.0-windows-x86_64-9f2c9f2c.exe")


def broken(text: str) -> list[str]:
    """What a parser of PowerShell does not understand."""
    tree = Parser(Language(tree_sitter_powershell.language())).parse(text.encode())

    def walk(node: Node) -> list[str]:
        own = [f"{node.type} at {node.start_point}"] if node.is_error or node.is_missing else []
        return own + [each for child in node.children for each in walk(child)]

    return walk(tree.root_node)


def test_what_the_page_knows_stands_in_the_line(linux: AgentPackage) -> None:
    vault = uuid4()
    line = one_line.with_code(vault, best_for("linux"))
    assert line is not None
    words = shlex.split(line.text)
    assert words[:2] == ["sh", "-c"]
    assert words[3:7] == ["strongroom", f"{settings.EDGE_URL}/agents/files/{linux.file_name}", linux.sha256, "x86_64"]
    told = dict(itertools.pairwise(words))
    root = certificates.fingerprint(authorities.edge_root())
    assert (told["--code"], told["--edge"], told["--ca-sha256"]) == ("-", settings.EDGE_URL, root)
    assert told["--vault"] == str(vault)
    assert "--once" in words
    assert line.text.endswith("--protect /home")


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_it_is_one_line_that_shells_can_read(linux: AgentPackage, shell: str) -> None:
    for line in (
        one_line.with_code(uuid4(), best_for("linux")),
        one_line.with_file("a b's.VaultCredentials", best_for("linux")),
    ):
        assert line is not None
        assert "\n" not in line.text
        assert "!" not in line.text  # interactive shells take it for history
        assert subprocess.run([shell, "-n", "-c", line.text], check=False).returncode == 0
        script = shlex.split(line.text)[2]
        assert "'" not in script
        assert subprocess.run([shell, "-n", "-c", script], check=False).returncode == 0


def test_the_line_for_windows_can_be_read(windows: AgentPackage) -> None:
    line = one_line.with_code(uuid4(), best_for("windows"))
    assert line is not None
    assert broken(line.text) == []
    assert f"'{windows.sha256}'" in line.text
    assert broken("if ($x { throw }") != []


def test_the_newest_package_that_a_line_can_use(linux: AgentPackage) -> None:
    package(file_name="strongroom-agent-1.1.0-linux-x86_64-0123abcd.deb", kind="deb")
    package(architecture="aarch64", file_name="strongroom-agent-1.1.0-linux-aarch64-0123abcd")
    package(file_name="strongroom-agent-0.9.0-linux-x86_64-0123abcd", published_at=timezone.now() - timedelta(days=9))
    package(file_name="strongroom-agent-2.0.0-linux-x86_64-0123abcd", withdrawn_at=timezone.now())
    found = best_for("linux")
    assert found is not None
    assert found.package == linux
    assert best_for("macos") is None
    assert one_line.with_code(uuid4(), best_for("windows")) is None


class TestSnippets:
    """Those of the page `Roll out to many machines`."""

    @pytest.fixture(autouse=True)
    def _both(self, linux: AgentPackage, windows: AgentPackage) -> None:
        self.sha256 = linux.sha256

    def text(self, key: str) -> str:
        return next(each.text for each in snippets.all_of() if each.key == key)

    def test_nothing_is_left_to_fill_in(self) -> None:
        found = snippets.all_of()
        assert [each.key for each in found] == ["ansible", "cloud-init", "intune", "container"]
        assert [each.key for each in found if "%{" in each.text] == []
        assert [each.key for each in found if self.sha256 not in each.text] == []

    def test_cloud_init(self) -> None:
        text = self.text("cloud-init")
        assert text.startswith("#cloud-config\n")
        read = yaml.safe_load(text)
        assert set(read) == {"packages", "write_files", "runcmd"}
        command, clean = read["runcmd"]
        assert command[:2] == ["sh", "-c"]
        assert subprocess.run(["sh", "-n", "-c", command[2]], check=False).returncode == 0
        assert clean[-1] == read["write_files"][0]["path"] == command[command.index("--credentials") + 1]
        assert read["write_files"][0]["permissions"] == "0600"

    def test_intune(self) -> None:
        assert broken(self.text("intune")) == []

    def test_containerfile(self) -> None:
        """No builder is needed to see its instructions, and that each `RUN` is a command that a shell can read."""
        joined = re.sub(r"\\\n", "", re.sub(r"(?m)^#.*\n", "", self.text("container")))
        instructions = [line.split(" ", 1) for line in joined.splitlines() if line]
        assert [word for word, _ in instructions] == ["FROM", "RUN", "RUN", "ENV", "VOLUME", "ENTRYPOINT", "CMD"]
        for word, rest in instructions:
            if word == "RUN":
                assert subprocess.run(["sh", "-n", "-c", rest], check=False).returncode == 0
            if word in {"VOLUME", "ENTRYPOINT", "CMD"}:
                assert all(isinstance(each, str) for each in json.loads(rest))

    def test_the_page(self, client: Client, vault: Vault, staff: User, outsider: User) -> None:
        url = f"/vaults/{vault.pk}/quick-start/roll-out/"
        client.force_login(staff)
        shown = client.get(url).content.decode()
        for name in ("Ansible", "cloud-init", "Intune or group policy", "Container image"):
            assert name in shown
        client.force_login(outsider)
        assert client.get(url).status_code == 404


def test_the_page_without_a_package(client: Client, vault: Vault, staff: User) -> None:
    client.force_login(staff)
    assert "No package to roll out" in client.get(f"/vaults/{vault.pk}/quick-start/roll-out/").content.decode()


def test_windows_takes_our_installer_alone(windows: AgentPackage) -> None:
    for kind, file in (
        ("msi", "strongroom-agent-1.0.0-windows-x86_64-0123abcd.msi"),
        ("own", "MARSAgentInstaller.exe"),
    ):
        package("windows", kind=kind, file_name=file, title="" if kind == "msi" else file)
    found = best_for("windows")
    assert found is not None
    assert found.package == windows


def test_the_line_for_windows_stops_before_it_runs_anything(windows: AgentPackage) -> None:
    line = one_line.with_code(uuid4(), best_for("windows"))
    assert line is not None
    steps = ("IsInRole", "curl.exe", "LASTEXITCODE", "Get-FileHash", "Start-Process", "ExitCode", "'setup'")
    assert sorted(steps, key=line.text.index) == list(steps)


def test_the_passphrase_lies_outside_of_what_the_line_protects(windows: AgentPackage) -> None:
    """Setup refuses it otherwise."""
    line = one_line.with_code(uuid4(), best_for("windows"))
    assert line is not None
    assert "--save-passphrase-to (Join-Path $env:ProgramData 'strongroom-passphrase.txt')" in line.text
    assert '--protect "$env:SystemDrive\\Users"' in line.text
