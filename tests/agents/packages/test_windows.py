"""The installers for Windows on the pages: from the folder that was built to the article's row."""

import hashlib
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from agents.packages.catalog import platform_rows
from agents.packages.publish import WINDOWS
from portal.accounts.models import User

pytestmark = pytest.mark.django_db
ON_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0"


@pytest.fixture
def published(tmp_path: Path, settings: Settings) -> None:
    settings.AGENT_PACKAGES = tmp_path / "agents"
    listed = []
    for kind, suffix in (("msi", "msi"), ("installer", "exe")):
        (tmp_path / f"x.{suffix}").write_text(kind)
        about = {"platform": "windows", "architecture": "x86_64", "version": "1.0.0", "kind": kind, "bill": "bill.json"}
        listed.append({**about, "file": f"x.{suffix}", "sha256": hashlib.sha256(kind.encode()).hexdigest()})
    (tmp_path / "bill.json").write_text("{}")
    (tmp_path / "packages.json").write_text(json.dumps(listed))
    call_command("publish_agent", built=tmp_path, again=False)


def test_the_articles_row_has_both_the_installer_first(published: None) -> None:
    rows = [row for row in platform_rows(ON_WINDOWS) if row.platform == "windows"]
    assert [(row.name, row.kind and row.kind.label, row.yours) for row in rows] == [
        (WINDOWS, "installer, .exe", True),
        (WINDOWS, "Windows Installer, .msi", True),
    ]
    assert [row.package and row.package.file_name.rpartition(".")[2] for row in rows] == ["exe", "msi"]
    assert all(row.package and row.package.has_bill for row in rows)


def test_the_page_says_what_was_never_seen(published: None, client: Client, staff: User) -> None:
    client.force_login(staff)
    page = client.get("/agents/", headers={"user-agent": ON_WINDOWS}).content.decode()
    assert page.count("Installation, setup and a restore were tried under wine.") == 2
    for unseen in ("Task Scheduler", "VSS", "access lists", "UAC, SmartScreen and Defender"):
        assert unseen in page
    assert "System Center Data Protection Manager; of what that one stores it knows nothing." in page
