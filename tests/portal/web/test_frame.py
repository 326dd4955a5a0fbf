"""The frame of every page, the policy it keeps, and the files that come with it."""

import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from portal.accounts.models import Membership, Subscription, User
from portal.web.navigation import counters, waiting_for
from tests.factories import member_of
from tests.portal.pages import inline, text, window

ROOT = Path(settings.BASE_DIR)
PAGES = ["/notifications/", "/accounts/", "/accounts/tokens/", "/audit/"]
ADMIN_PAGES = ["/admin/", "/admin/accounts/user/", "/admin/accounts/user/add/", "/admin/accounts/subscription/add/"]


@pytest.fixture
def everybody(subscription: Subscription) -> User:
    """Somebody with all the roles, who can open all the pages."""
    return member_of(subscription, "boss", is_approver=True, is_auditor=True, is_administrator=True)


@pytest.mark.parametrize("path", [*PAGES, *ADMIN_PAGES])
def test_no_page_needs_what_the_policy_blocks(path: str, everybody: User) -> None:
    response = window(everybody).get(path)
    assert response.status_code == 200
    assert inline(response) == []
    assert response["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")


def test_no_template_has_inline_styles_or_handlers() -> None:
    guilty = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "templates").rglob("*.html"))
        if re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|<script(?![^>]*\ssrc=)", path.read_text())
    ]
    assert guilty == []


@pytest.mark.parametrize("path", PAGES)
def test_strangers_are_sent_to_the_sign_in_and_back(path: str, db: None) -> None:
    response = Client().get(path)
    assert (response.status_code, response["Location"]) == (302, f"/accounts/login/?next={path}")


def test_entries_of_the_navigation_follow_the_roles(staff: User, everybody: User) -> None:
    mine = window(staff).get("/notifications/").content.decode()
    assert ('href="/audit/"' in mine, 'href="/admin/"' in mine) == (False, False)
    all_of_it = window(everybody).get("/notifications/").content.decode()
    assert ('href="/audit/"' in all_of_it, 'href="/admin/"' in all_of_it) == (True, True)


def test_the_new_path_names_all_of_its_levels(staff: User) -> None:
    page = text(window(staff).get("/notifications/"))
    places = [page.index(level) for level in ("Data Services", "Recovery Services", "Backup Vault", "Quick Create")]
    assert places == sorted(places)


def test_the_navigation_marks_where_one_is(staff: User) -> None:
    page = window(staff).get("/notifications/").content.decode()
    assert re.findall(r'<a href="([^"]+)" aria-current="page">', page) == ["/notifications/"]


def test_the_frame_costs_the_same_with_many_subscriptions(
    staff: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(40):
        Membership.objects.create(user=staff, subscription=Subscription.objects.create(name=f"Team {number:02}"))
    client = window(staff)
    client.get("/accounts/")
    # session, person, memberships of the page; subscriptions, policies and replacements to decide on, notifications
    # and how far they have been read
    with django_assert_num_queries(8):
        page = client.get("/accounts/")
    menu = page.content.decode().split('id="subscriptions"')[1].split("</div>")[0]
    assert menu.count("?subscription=") == 30
    assert "Use search to find others" in menu


def test_people_without_a_subscription_have_no_menu_of_them(approver: User, administrator: User) -> None:
    assert 'id="subscriptions"' not in window(administrator).get("/accounts/").content.decode()


def test_a_counter_stops_at_99(approver: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(counters, "requests", [lambda person, limit: min(500, limit)] * 2)
    assert waiting_for("requests", approver) == "99+"
    monkeypatch.setitem(counters, "requests", [lambda person, limit: 0] * 2)
    assert waiting_for("requests", approver) == ""
    assert waiting_for("nothing", approver) == ""


@pytest.mark.parametrize(
    ("theme", "cookie", "marked"), [("dark", "dark", ' data-theme="dark"'), ("system", "", ""), ("<x>", "", "")]
)
def test_the_theme_is_kept_in_a_cookie(theme: str, cookie: str, marked: str, staff: User) -> None:
    client = window(staff)
    response = client.post(reverse("accounts:theme"), {"theme": theme, "next": "/accounts/"})
    assert (response.status_code, response["Location"]) == (302, "/accounts/")
    assert response.cookies["theme"].value == cookie
    assert f'<html lang="en-GB"{marked}>' in client.get("/accounts/").content.decode()


def test_the_theme_form_leads_nowhere_else(staff: User) -> None:
    response = window(staff).post(reverse("accounts:theme"), {"theme": "dark", "next": "https://elsewhere.example/"})
    assert response["Location"] == "/"


def test_code_of_others_is_what_they_published() -> None:
    table = (ROOT / "static/vendor/README.md").read_text()
    listed = re.findall(r"^\| `([^`]+)` .*`([0-9a-f]{64})` \|$", table, re.MULTILINE)
    there = sorted(path.name for path in (ROOT / "static/vendor").glob("*.js"))
    assert sorted(name for name, _ in listed) == there
    for name, digest in listed:
        assert hashlib.sha256((ROOT / "static/vendor" / name).read_bytes()).hexdigest() == digest


def test_our_scripts_stay_small() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "static/js").glob("*.js")}
    assert sum(lines.values()) <= 400, lines


def test_every_static_file_that_pages_name_exists(everybody: User) -> None:
    for page in ("/notifications/", "/audit/"):
        html = window(everybody).get(page).content.decode()
        named = {path.split("#")[0] for path in re.findall(r'(?:href|src)="/static/([^"]+)"', html)}
        assert [path for path in sorted(named) if finders.find(path) is None] == []


def test_every_icon_that_templates_name_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'<symbol id="([a-z]+)"', (ROOT / "static/icons.svg").read_text()))
    named: set[str] = set()
    for path in (ROOT / "templates").rglob("*.html"):
        source = path.read_text()
        named |= set(re.findall(r'{% icon "([^"]+)"', source)) | set(re.findall(r'picture="([^"]+)"', source))
        named |= set(re.findall(r'{% nav_link \S+ "[^"]+" "([^"]+)"', source))
    assert sorted(named - sprite) == []


@pytest.mark.parametrize(
    ("who", "asks"), [("staff", True), ("approver", False), ("auditor", False), ("administrator", False)]
)
def test_new_is_there_for_those_who_can_ask_for_a_vault(who: str, asks: bool, request: pytest.FixtureRequest) -> None:
    user: User = request.getfixturevalue(who)
    request.getfixturevalue("staff")
    page = window(user).get("/agents/").content.decode()
    assert ('popovertarget="new"' in page, 'id="new"' in page) == (asks, asks)
    assert "You are not a member of any subscription" not in page


def test_an_approver_who_is_a_member_asks_too(approver: User, subscription: Subscription) -> None:
    Membership.objects.create(user=approver, subscription=subscription)
    assert 'popovertarget="new"' in window(approver).get("/agents/").content.decode()
