"""`manage.py publish_agent`: builds when the sources have changed, and says so when it cannot."""

import hashlib
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from agents import building
from agents.models import AgentPackage
from agents.packages import withdraw
from tests.agents.test_packages import COMMAND

pytestmark = pytest.mark.django_db
SCRIPT = """
import json, pathlib, sys
out = pathlib.Path(sys.argv[1])
out.write_bytes(b"built from " + (pathlib.Path(__file__).parent / "strongroom_agent/main.py").read_bytes())
print(json.dumps({"version": "1.0.0", "platform": "linux", "architecture": "x86_64"}))
"""


@pytest.fixture
def sources(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources of a small program, with a real script that builds it."""
    settings.AGENT_PACKAGES = tmp_path / "agents"
    folder = tmp_path / "client"
    (folder / "strongroom_agent").mkdir(parents=True)
    (folder / "strongroom_agent" / "main.py").write_text("one")
    (folder / "build_package.py").write_text(SCRIPT)
    monkeypatch.setattr(building, "SOURCES", folder)
    monkeypatch.setattr(building, "SCRIPT", folder / "build_package.py")
    return folder


def publish() -> str:
    out = StringIO()
    call_command("publish_agent", stdout=out)
    return out.getvalue()


def listed() -> AgentPackage:
    return AgentPackage.objects.get(withdrawn_at=None)


def test_it_builds_once_for_the_same_sources(sources: Path) -> None:
    digest = hashlib.sha256(b"built from one").hexdigest()
    assert publish() == f"strongroom-agent-1.0.0-linux-x86_64-{digest[:8]} published.\n"
    (sources / "build_package.py").chmod(0)
    assert publish() == f"strongroom-agent-1.0.0-linux-x86_64-{digest[:8]} is up to date.\n"
    assert (listed().sha256, AgentPackage.objects.count()) == (digest, 1)


def test_it_builds_again_when_a_source_changes(sources: Path) -> None:
    publish()
    (sources / "strongroom_agent" / "main.py").write_text("two")
    assert publish().endswith("published.\n")
    assert listed().sha256 == hashlib.sha256(b"built from two").hexdigest()


def test_it_builds_again_when_the_file_is_gone_or_cut_short(sources: Path, settings: Settings) -> None:
    publish()
    path = settings.AGENT_PACKAGES / listed().file_name
    path.write_bytes(b"built")
    assert publish().endswith("published.\n")
    assert path.read_bytes() == b"built from one"
    path.unlink()
    assert publish().endswith("published.\n")
    assert path.exists()


def test_what_was_withdrawn_is_published_again_by_this_command(sources: Path) -> None:
    publish()
    withdraw(listed().pk, actor=COMMAND)
    assert publish().endswith("published.\n")
    assert AgentPackage.objects.count() == 1


def test_a_damaged_stamp_means_nothing(sources: Path, settings: Settings) -> None:
    publish()
    (stamp,) = settings.AGENT_PACKAGES.glob(".linux-*.json")
    stamp.write_text("{")
    assert publish().endswith("published.\n")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import sys; sys.exit('no index')", "no index"),
        ("raise SystemExit(1)", "It gave no reason."),
        ("import time; time.sleep(60)", "It was not done after 1 seconds."),
    ],
)
def test_a_failed_build_says_why_and_leaves_what_there_is(
    sources: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    publish()
    monkeypatch.setattr(building, "LONGEST", 1)
    (sources / "build_package.py").write_text(script)
    with pytest.raises(CommandError, match=f"could not be built: {reason}"):
        publish()
    assert listed().sha256 == hashlib.sha256(b"built from one").hexdigest()
