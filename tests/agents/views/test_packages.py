"""The Agents page."""

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from agents.packages.catalog import platform_of, platform_rows
from agents.packages.publish import WINDOWS
from portal.accounts.models import User
from tests.agents.factories import package

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 ({}) Gecko/20100101 Firefox/144.0"


@pytest.mark.parametrize(
    ("system", "platform"),
    [
        ("Windows NT 10.0; Win64; x64; rv:144.0", "windows"),
        ("X11; Linux x86_64; rv:144.0", "linux"),
        ("Macintosh; Intel Mac OS X 10.15; rv:144.0", "macos"),
        ("Linux; Android 15", ""),
        ("iPhone; CPU iPhone OS 18_0 like Mac OS X", ""),
        ("", ""),
    ],
)
def test_the_platform_of_a_browser(system: str, platform: str) -> None:
    assert platform_of(FIREFOX.format(system)) == platform


def test_a_stranger_is_asked_to_sign_in(client: Client) -> None:
    assert client.get("/agents/").status_code == 302


def test_the_visitors_platform_comes_first_and_each_has_a_row() -> None:
    linux = package()
    arm = package(architecture="aarch64")
    package("windows", withdrawn_at=timezone.now())
    rows = platform_rows(FIREFOX.format("X11; Linux x86_64"))
    assert [(row.platform, row.package, row.yours) for row in rows] == [
        ("linux", arm, True),
        ("linux", linux, True),
        ("windows", None, False),
        ("macos", None, False),
    ]
    assert [row.platform for row in platform_rows("")] == ["windows", "linux", "linux", "macos"]


def test_a_row_has_version_size_digest_and_button(
    client: Client, staff: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    linux = package()
    client.force_login(staff)
    with django_assert_max_num_queries(9):
        shown = client.get("/agents/").content.decode()
    assert WINDOWS == "Agent for Windows Server or System Center Data Protection Manager or Windows Client"
    assert WINDOWS in shown
    for fact in ("1.0.0", "24.0 MiB", linux.sha256, f'href="/agents/files/{linux.file_name}"'):
        assert fact in shown


def test_the_checks_are_ready_to_be_copied(client: Client, staff: User) -> None:
    linux = package()
    client.force_login(staff)
    shown = unescape(client.get("/agents/").content.decode())
    assert f"echo '{linux.sha256}  {linux.file_name}' | sha256sum -c" in shown
    assert f"-verify signing-key.pem -signature {linux.file_name}.sig {linux.file_name}" in shown


def test_what_is_not_published_says_what_to_do_instead(client: Client, staff: User) -> None:
    client.force_login(staff)
    shown = client.get("/agents/").content.decode()
    assert shown.count("Not published yet") == 3
    assert shown.count("There is no package for this platform yet.") == 2
    assert shown.count(">pip install ./agents/client<") == 1
    assert "/agents/files/" not in shown


def test_what_was_withdrawn_says_so_and_tells_nobody_to_publish_it(client: Client, staff: User) -> None:
    package(version="1.0.0", withdrawn_at=timezone.now() - timedelta(days=9), kept_back=True)
    package(version="1.0.1", withdrawn_at=timezone.now() - timedelta(hours=2), kept_back=True)
    client.force_login(staff)
    shown = client.get("/agents/").content.decode()
    assert shown.count(">Withdrawn</span>") == 1
    assert "Version 1.0.1 was withdrawn by an administrator" in shown
    assert shown.count("Not published yet") == 2
    assert "publish_agent" not in shown
    package(version="1.0.2")
    shown = client.get("/agents/").content.decode()
    assert (shown.count(">Withdrawn</span>"), "1.0.2" in shown) == (0, True)


def test_administrators_read_sizes_as_people_do(client: Client, administrator: User) -> None:
    linux = package(size=7_626_778)
    client.force_login(administrator)
    for path in ("", f"{linux.pk}/change/"):
        shown = client.get(f"/admin/agents/agentpackage/{path}").content.decode()
        assert "7.27 MiB" in shown
        assert "7626778" not in shown
