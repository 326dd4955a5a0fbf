"""Packages of several kinds beside each other: which come first, and which take whose place."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from agents.models import AgentPackage
from agents.packages.catalog import best_for_linux, platform_rows
from agents.packages.publish import About, bill_name, publish, withdraw
from agents.packages.shell_commands import setup_command, unpack_command
from portal.accounts.models import User
from portal.core.errors import Invalid
from tests.agents.factories import COMMAND, package

pytestmark = pytest.mark.django_db
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
FEDORA = "Mozilla/5.0 (X11; Fedora; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0"


def offered(tmp_path: Path, kind: str, content: bytes, suffix: str = "deb") -> AgentPackage:
    path = tmp_path / f"build.{suffix}"
    path.write_bytes(content)
    return publish(path, About("linux", "x86_64", "1.0.0", kind), actor=COMMAND)


def kinds(user_agent: str = LINUX, platform: str = "linux") -> list[str | None]:
    rows = [row for row in platform_rows(user_agent) if row.platform == platform]
    return [row.package.kind if row.package else None for row in rows]


def test_what_needs_least_comes_first() -> None:
    for kind in ("pex", "archive", "rpm", "deb"):
        package(kind=kind)
    assert kinds() == ["deb", "rpm", "archive", "pex"]
    assert kinds(FEDORA) == ["rpm", "deb", "archive", "pex"]
    best = best_for_linux(platform_rows(WINDOWS))
    assert best is not None
    assert best.kind == "deb"


def test_a_package_takes_the_place_of_its_own_kind_alone(tmp_path: Path, settings: Settings) -> None:
    settings.AGENT_PACKAGES = tmp_path / "agents"
    old, rpm = offered(tmp_path, "deb", b"one"), offered(tmp_path, "rpm", b"two", "rpm")
    new = offered(tmp_path, "deb", b"three")
    assert set(AgentPackage.objects.filter(withdrawn_at=None)) == {rpm, new}
    assert AgentPackage.objects.exclude(withdrawn_at=None).get() == old


def test_an_archive_keeps_both_parts_of_its_extension(tmp_path: Path, settings: Settings) -> None:
    settings.AGENT_PACKAGES = tmp_path / "agents"
    assert offered(tmp_path, "archive", b"one", "tar.gz").file_name.endswith(".tar.gz")
    with pytest.raises(Invalid) as refusal:
        offered(tmp_path, "floppy", b"one")
    assert list(refusal.value.errors) == ["kind"]


def test_the_bill_of_materials_comes_and_goes_with_its_package(
    tmp_path: Path, settings: Settings, client: Client, staff: User, django_capture_on_commit_callbacks: object
) -> None:
    settings.AGENT_PACKAGES = tmp_path / "agents"
    (tmp_path / "build.deb").write_bytes(b"program")
    (tmp_path / "bill.json").write_text("{}")
    about = About("linux", "x86_64", "1.0.0", "deb")
    made = publish(tmp_path / "build.deb", about, actor=COMMAND, bill=tmp_path / "bill.json")
    assert (tmp_path / "agents" / bill_name(made.file_name)).read_text() == "{}"
    client.force_login(staff)
    assert f"/agents/files/{bill_name(made.file_name)}" in client.get("/agents/").content.decode()
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        withdraw(made.pk, actor=COMMAND)
    assert list((tmp_path / "agents").iterdir()) == []


def test_a_withdrawn_kind_says_so_beside_one_that_is_listed(client: Client, staff: User) -> None:
    package(kind="deb", version="1.0.0", withdrawn_at=timezone.now() - timedelta(hours=2), kept_back=True)
    package(kind="pex")
    client.force_login(staff)
    shown = client.get("/agents/", headers={"User-Agent": LINUX}).content.decode()
    assert shown.count(">Withdrawn</span>") == 1
    assert kinds() == ["pex", None]
    package(kind="deb", version="1.0.1")
    assert ">Withdrawn</span>" not in client.get("/agents/").content.decode()


def test_each_says_what_it_needs_and_serves(client: Client, staff: User) -> None:
    for kind in ("deb", "pex"):
        package(kind=kind)
    client.force_login(staff)
    shown = client.get("/agents/", headers={"User-Agent": LINUX}).content.decode()
    assert "For Debian 11 to 13 and Ubuntu 22.04 or newer" in shown
    assert shown.count("Needs nothing else") == 1
    assert shown.count("Needs Python 3.11 or newer, and restic 0.14 or newer") == 1
    assert shown.index("Needs nothing else") < shown.index("Needs Python 3.11")


@pytest.mark.parametrize(
    ("kind", "unpack", "program"),
    [
        ("deb", "sudo apt install ./a.deb", "sudo strongroom-agent setup"),
        ("rpm", "sudo dnf install ./a.deb", "sudo strongroom-agent setup"),
        ("archive", "sudo tar -xzf a.deb -C /opt --no-same-owner", "sudo /opt/strongroom-agent/strongroom-agent setup"),
        ("pex", "mv a.deb strongroom-agent && chmod +x strongroom-agent", "sudo ./strongroom-agent setup"),
    ],
)
def test_the_commands_fit_the_kind(kind: str, unpack: str, program: str) -> None:
    assert unpack_command("a.deb", kind) == unpack
    assert setup_command("a.VaultCredentials", kind=kind).startswith(f"{program} --unattended")
