"""Publishing and withdrawing agent packages: files, rows and audit entries."""

import hashlib
from pathlib import Path

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from agents.models import AgentPackage
from agents.packages import publish, withdraw
from portal.accounts.actors import Actor
from portal.audit.models import AuditEvent
from portal.errors import Invalid, NotFound

pytestmark = pytest.mark.django_db
COMMAND = Actor(label="publish_agent", via="command")


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
    return publish(path, platform=platform, architecture=architecture, version=version, actor=COMMAND)


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
    assert [(file.name, file.read_bytes()) for file in folder.iterdir()] == [(package.file_name, b"program")]
    assert (folder / package.file_name).stat().st_mode & 0o777 == 0o644
    assert actions() == [("agent-package:publish", package.file_name)]


def test_publishing_the_same_build_again_changes_nothing(folder: Path, tmp_path: Path) -> None:
    first = offer(build(tmp_path))
    second = offer(build(tmp_path))
    assert (second.pk, second.published_at) == (first.pk, first.published_at)
    assert [file.name for file in folder.iterdir()] == [first.file_name]
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
    assert {file.name for file in folder.iterdir()} == {other.file_name, newer.file_name}
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
    assert list(folder.iterdir()) == []
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
