"""`manage.py publish_agent --built`: publishing what was built into a folder."""

import hashlib
import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from agents.models import AgentPackage
from agents.packages.publish import withdraw
from tests.agents.factories import COMMAND

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    """A folder that was built: a .deb and a .rpm with their bill."""
    settings.AGENT_PACKAGES = tmp_path / "agents"
    listed = []
    for kind in ("deb", "rpm"):
        (tmp_path / f"x.{kind}").write_text(kind)
        about = {"platform": "linux", "architecture": "x86_64", "version": "1.0.0", "kind": kind, "bill": "bill.json"}
        listed.append({**about, "file": f"x.{kind}", "sha256": hashlib.sha256(kind.encode()).hexdigest()})
    (tmp_path / "bill.json").write_text("{}")
    (tmp_path / "packages.json").write_text(json.dumps(listed))
    return tmp_path


def publish(folder: Path, *, again: bool = False) -> str:
    out = StringIO()
    call_command("publish_agent", built=folder, again=again, stdout=out)
    return out.getvalue()


def listed() -> set[str]:
    return set(AgentPackage.objects.filter(withdrawn_at=None).values_list("kind", flat=True))


def test_a_second_time_changes_nothing(folder: Path) -> None:
    said = publish(folder)
    before = list(AgentPackage.objects.values())
    assert publish(folder) == said
    assert list(AgentPackage.objects.values()) == before
    assert listed() == {"deb", "rpm"}
    assert all(AgentPackage.objects.values_list("has_bill", flat=True))


def test_what_was_withdrawn_stays_so_until_it_is_asked_for(folder: Path) -> None:
    publish(folder)
    withdraw(AgentPackage.objects.get(kind="deb").pk, actor=COMMAND)
    assert "was withdrawn and stays so" in publish(folder)
    assert listed() == {"rpm"}
    publish(folder, again=True)
    assert listed() == {"deb", "rpm"}


def test_a_file_that_is_not_what_the_list_says_is_not_published(folder: Path) -> None:
    (folder / "x.deb").write_text("something else")
    with pytest.raises(CommandError, match=r"x\.deb is not what packages\.json says\. Build it with make agents\."):
        publish(folder)
    assert listed() == set()


def test_a_folder_without_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"packages\.json cannot be read"):
        publish(tmp_path)
