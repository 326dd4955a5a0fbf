"""Publishing and withdrawing agent packages: files, rows and audit entries."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from agents.models import AgentPackage
from agents.packages.publish import About, publish, withdraw
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.errors import Invalid, NotFound
from portal.pki import authorities
from portal.pki.crypto import keys
from tests.agents.factories import COMMAND

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    """The packages folder; empty, not even there yet."""
    settings.AGENT_PACKAGES = tmp_path / "agents"
    return tmp_path / "agents"


def build(tmp_path: Path, content: bytes = b"program", name: str = "build.pex") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def offer(path: Path, version: str = "1.0.0", platform: str = "linux", architecture: str = "x86_64") -> AgentPackage:
    return publish(path, About(platform, architecture, version), actor=COMMAND)


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def actions() -> list[tuple[str, str]]:
    return list(AuditEvent.objects.order_by("id").values_list("action", "target_label"))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"platform": "beos"}, "platform"),
        ({"architecture": "../x"}, "architecture"),
        ({"architecture": ""}, "architecture"),
        ({"version": "1.0/../../etc"}, "version"),
        ({"version": "-rf"}, "version"),
        ({"version": "1" * 17}, "version"),
    ],
)
def test_names_that_do_not_fit_change_nothing(folder: Path, tmp_path: Path, given: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        offer(build(tmp_path), **given)
    assert list(refusal.value.errors) == [field]
    assert not folder.exists()
    assert not AgentPackage.objects.exists()
    assert actions() == []


def test_an_odd_extension_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refusal:
        offer(build(tmp_path, name="build.p x"))
    assert list(refusal.value.errors) == ["path"]


def test_an_absent_build_leaves_no_draft(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        offer(tmp_path / "nowhere.pex")
    assert list(folder.iterdir()) == []


def test_publishing_copies_lists_and_records(folder: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"program").hexdigest()
    package = offer(build(tmp_path))
    assert package.file_name == f"strongroom-agent-1.0.0-linux-x86_64-{digest[:8]}.pex"
    assert (package.size, package.sha256, package.withdrawn_at) == (7, digest, None)
    assert (folder / package.file_name).read_bytes() == b"program"
    assert files(folder) == [package.file_name, f"{package.file_name}.sig"]
    assert (folder / package.file_name).stat().st_mode & 0o777 == 0o644
    assert actions() == [("agent-package:publish", package.file_name)]


def test_publishing_the_same_build_again_changes_nothing(folder: Path, tmp_path: Path) -> None:
    first = offer(build(tmp_path))
    second = offer(build(tmp_path))
    assert (second.pk, second.published_at) == (first.pk, first.published_at)
    assert files(folder) == [first.file_name, f"{first.file_name}.sig"]
    assert actions() == [("agent-package:publish", first.file_name)]


def test_a_newer_build_takes_the_place_of_its_platform_only(
    folder: Path, tmp_path: Path, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    other = offer(build(tmp_path, b"for arm"), architecture="aarch64")
    older = offer(build(tmp_path, b"older"))
    with django_capture_on_commit_callbacks(execute=True):
        newer = offer(build(tmp_path, b"newer"), version="1.1.0")
    listed = AgentPackage.objects.filter(withdrawn_at=None)
    assert set(listed.values_list("file_name", flat=True)) == {other.file_name, newer.file_name}
    assert {name.removesuffix(".sig") for name in files(folder)} == {other.file_name, newer.file_name}
    assert actions()[2:] == [
        ("agent-package:publish", newer.file_name),
        ("agent-package:withdraw", older.file_name),
    ]


def test_withdrawing_takes_the_file_away_with_the_commit(
    folder: Path, tmp_path: Path, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    package = offer(build(tmp_path))
    with django_capture_on_commit_callbacks(execute=True):
        withdraw(package.pk, actor=COMMAND)
        assert (folder / package.file_name).exists()
    assert files(folder) == []
    assert not AgentPackage.objects.filter(withdrawn_at=None).exists()
    assert actions()[1:] == [("agent-package:withdraw", package.file_name)]


def test_what_is_withdrawn_cannot_be_withdrawn_again_but_published(folder: Path, tmp_path: Path) -> None:
    package = offer(build(tmp_path))
    withdraw(package.pk, actor=COMMAND)
    with pytest.raises(NotFound):
        withdraw(package.pk, actor=COMMAND)
    again = offer(build(tmp_path))
    assert (again.pk, again.withdrawn_at) == (package.pk, None)
    assert [action for action, _ in actions()] == [
        "agent-package:publish",
        "agent-package:withdraw",
        "agent-package:publish",
    ]


def test_openssl_verifies_the_signature_with_the_key_of_credential_files(folder: Path, tmp_path: Path) -> None:
    package = offer(build(tmp_path))
    key = tmp_path / "key.pem"
    key.write_text(keys.public_pem(authorities.signing_key().public_key()))
    path = folder / package.file_name
    command = ["openssl", "dgst", "-sha256", "-verify", str(key), "-signature", f"{path}.sig", str(path)]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "Verified OK\n"
    path.write_bytes(b"altered")
    assert subprocess.run(command, capture_output=True).returncode == 1


class TestAdmin:
    def test_administrators_look_and_withdraw(
        self, folder: Path, tmp_path: Path, client: Client, administrator: User
    ) -> None:
        package = offer(build(tmp_path))
        client.force_login(administrator)
        url = f"/admin/agents/agentpackage/{package.pk}/change/"
        assert package.sha256 in client.get(url).content.decode()
        assert client.post(url, {}).status_code == 302
        assert AgentPackage.objects.filter(withdrawn_at=None).exists()
        assert client.post(url, {"withdraw": "on"}).status_code == 302
        assert not AgentPackage.objects.filter(withdrawn_at=None).exists()
        entry = AuditEvent.objects.get(action="agent-package:withdraw")
        assert (entry.actor_label, entry.via) == ("admin", "admin")

    def test_nothing_else(self, folder: Path, tmp_path: Path, client: Client, administrator: User) -> None:
        package = offer(build(tmp_path))
        client.force_login(administrator)
        assert client.post(f"/admin/agents/agentpackage/{package.pk}/delete/", {"post": "yes"}).status_code == 403
        bulk = {"action": "delete_selected", "_selected_action": str(package.pk), "post": "yes"}
        client.post("/admin/agents/agentpackage/", bulk)
        assert AgentPackage.objects.get() == package

    @pytest.mark.parametrize("who", ["staff", "approver", "auditor"])
    def test_for_administrators_only(self, client: Client, request: pytest.FixtureRequest, who: str) -> None:
        client.force_login(request.getfixturevalue(who))
        assert client.get("/admin/agents/agentpackage/").status_code in {302, 403}
