"""What administrators add: a file of the incoming folder, described on the admin site."""

from pathlib import Path

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from agents.models import AgentPackage
from agents.packages import own
from agents.packages.catalog import best_for_linux, platform_rows
from agents.packages.publish import WINDOWS
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from tests.agents.factories import package

pytestmark = pytest.mark.django_db
ADD = "/admin/agents/agentpackage/add/"
MARS = "MARSAgentInstaller.exe"


@pytest.fixture
def incoming(tmp_path: Path, settings: Settings) -> Path:
    """The incoming folder, with an installer in it."""
    settings.DATA = tmp_path
    settings.AGENT_PACKAGES = tmp_path / "agents"
    own.incoming().mkdir()
    (own.incoming() / MARS).write_bytes(b"MZ installer")
    return own.incoming()


def form(**changes: str) -> dict[str, str]:
    about = {"platform": "windows", "architecture": "x86_64", "version": "2.0.9", "notes": "For Azure Backup."}
    return {"file": MARS, **about, **changes}


def test_it_is_published_under_its_name_and_leaves_the_folder(
    incoming: Path,
    client: Client,
    administrator: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    client.force_login(administrator)
    assert f'<option value="{MARS}">' in client.get(ADD).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(ADD, form()).status_code == 302
    added = AgentPackage.objects.get()
    assert added.file_name == f"MARSAgentInstaller-{added.sha256[:8]}.exe"
    folder = incoming.parent / "agents"
    assert sorted(path.name for path in folder.iterdir()) == [added.file_name, f"{added.file_name}.sig"]
    assert (folder / added.file_name).read_bytes() == b"MZ installer"
    assert list(incoming.iterdir()) == []
    entry = AuditEvent.objects.get(action="agent-package:publish")
    assert (entry.actor_label, entry.via, entry.detail["title"]) == ("admin", "admin", MARS)
    assert entry.detail["notes"] == "For Azure Backup."


def test_the_articles_row_still_says_that_there_is_none(incoming: Path, client: Client, administrator: User) -> None:
    client.force_login(administrator)
    client.post(ADD, form())
    shown = client.get("/agents/", headers={"User-Agent": "Windows NT 10.0"}).content.decode()
    assert (
        shown.index(WINDOWS) < shown.index("Not published yet") < shown.index(MARS) < shown.index("For Azure Backup.")
    )
    assert "Added by an administrator. It is not part of Strongroom." in shown
    client.post(ADD, form(platform="linux"))
    assert best_for_linux(platform_rows("")) is None


def test_withdrawn_it_says_so_and_stays_so(incoming: Path, client: Client, administrator: User) -> None:
    client.force_login(administrator)
    client.post(ADD, form())
    added = AgentPackage.objects.get()
    client.post(f"/admin/agents/agentpackage/{added.pk}/change/", {"withdraw": "on"})
    shown = client.get("/agents/").content.decode()
    assert (shown.count(">Withdrawn</span>"), MARS in shown) == (1, True)
    assert "/agents/files/" not in shown


def test_a_newer_one_of_its_name_takes_its_place_alone(incoming: Path, client: Client, administrator: User) -> None:
    ours = package("windows", kind="pex")
    client.force_login(administrator)
    client.post(ADD, form())
    (incoming / MARS).write_bytes(b"MZ newer")
    (incoming / "MicrosoftAzureBackupInstaller.exe").write_bytes(b"MZ other")
    client.post(ADD, form(version="2.1"))
    client.post(ADD, form(file="MicrosoftAzureBackupInstaller.exe"))
    listed = AgentPackage.objects.filter(withdrawn_at=None).order_by("pk")
    assert [(each.title, each.version) for each in listed] == [
        ("", ours.version),
        (MARS, "2.1"),
        ("MicrosoftAzureBackupInstaller.exe", "2.0.9"),
    ]


@pytest.mark.parametrize(
    "name", ["../strongroom.sqlite3", "link", "folder", ".hidden", "nothing", "", "a b.exe", "ä.exe"]
)
def test_nothing_but_a_plain_file_of_the_folder(incoming: Path, client: Client, administrator: User, name: str) -> None:
    (incoming.parent / "strongroom.sqlite3").write_text("secret")
    (incoming / "link").symlink_to(incoming.parent / "strongroom.sqlite3")
    (incoming / "folder").mkdir()
    for odd in (".hidden", "a b.exe", "ä.exe"):
        (incoming / odd).write_text("hidden")
    client.force_login(administrator)
    client.post(ADD, form(file=name))
    assert not AgentPackage.objects.exists()
    folder = incoming.parent / "agents"
    assert not folder.exists() or list(folder.iterdir()) == []


def test_what_is_too_large_is_refused(
    incoming: Path, client: Client, administrator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "LARGEST", 4)
    client.force_login(administrator)
    client.post(ADD, form())
    assert not AgentPackage.objects.exists()
    assert (incoming / MARS).exists()


@pytest.mark.parametrize("who", ["staff", "approver", "auditor"])
def test_others_add_nothing(incoming: Path, client: Client, request: pytest.FixtureRequest, who: str) -> None:
    client.force_login(request.getfixturevalue(who))
    assert client.post(ADD, form()).status_code in {302, 403}
    assert not AgentPackage.objects.exists()
