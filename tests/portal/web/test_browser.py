"""The frame in a real browser: keyboard, live area, an unreachable portal, themes, the policy, and axe."""

import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from portal.accounts.models import Subscription, User
from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import Actor, Via
from portal.notifications.models import Notification
from portal.notifications.publish import publish
from tests.factories import PASSWORD, member_of
from tests.vaults.factories import request_of
from vaults.models import Region, VaultRequest

pytestmark = [pytest.mark.system, pytest.mark.django_db(transaction=True)]
State = Notification.State
TITLE = 'Creating vault "Payroll"'


@pytest.fixture
def boss(transactional_db: None) -> User:
    """Somebody with all the roles."""
    return member_of(
        Subscription.objects.create(name="Default"),
        "boss",
        full_name="Bea Oss",
        is_approver=True,
        is_auditor=True,
        is_administrator=True,
    )


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, boss: User) -> Iterator[Page]:
    """A window in which `boss` is signed in; at the end nobody may have complained."""
    context = browser.new_context(base_url=live_server.url)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/accounts/login/?next=/accounts/")
    page.get_by_label("User name").fill("boss")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    yield page
    context.close()
    noise = re.compile(
        r"Failed to load resource|htmx:(sendAbort|sendError|afterRequest|responseError)|Response Status Error"
    )
    assert [words for words in complaints if not noise.search(words)] == []


def run(state: Notification.State, user: User, **values: object) -> None:
    publish("vault-create:1", state=state, title=str(values.pop("title", TITLE)), user=user, **values)  # type: ignore[arg-type]


def test_the_way_to_quick_create_by_keyboard(page: Page) -> None:
    page.get_by_role("button", name="New", exact=True).press("Enter")
    expect(page.get_by_role("link", name="Quick Create")).to_be_focused()
    for level in ("Data Services", "Recovery Services", "Backup Vault"):
        page.get_by_role("button", name=level).press("Enter")
    expect(page.get_by_role("link", name="Quick Create")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Quick Create")).to_be_hidden()
    expect(page.get_by_role("button", name="New", exact=True)).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Search vaults, machines, requests")).to_be_focused()


def ask_for_three(boss: User) -> None:
    """Requests to be found by their names."""
    region = Region.objects.create(slug="local-a", name="Local A")
    for name in ("Payback", "Payroll", "Archive"):
        request_of(boss, Subscription.objects.get(), region, name)


def test_search_suggests_while_typing_and_goes_there_by_keyboard(page: Page, boss: User) -> None:
    ask_for_three(boss)
    page.wait_for_load_state("load")  # what is typed before the scripts are there suggests nothing
    field, options = page.get_by_role("combobox", name="Search vaults"), page.get_by_role("option")
    field.press_sequentially("pay")
    expect(options).to_have_count(2)
    expect(field).to_have_attribute("aria-expanded", "true")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page)
        assert found.response["violations"] == [], found.generate_report()
    field.press("ArrowUp")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    field.press("ArrowDown")
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    expect(field).to_have_attribute("aria-activedescendant", "suggestions-1")
    expect(field).to_be_focused()
    field.press("Escape")
    expect(field).to_have_attribute("aria-expanded", "false")
    expect(options.first).to_be_hidden()
    expect(field).to_have_value("pay")
    field.press("ArrowDown")
    title = options.first.locator(".name").inner_text()
    field.press("Enter")
    expect(page.get_by_role("heading", name=title)).to_be_visible()


def test_search_without_a_choice_goes_to_what_was_found(page: Page, boss: User) -> None:
    ask_for_three(boss)
    page.wait_for_load_state("load")  # what is typed before the scripts are there suggests nothing
    field = page.get_by_role("combobox", name="Search vaults")
    field.press_sequentially("arch")
    expect(page.get_by_role("option")).to_have_count(1)
    field.press("Enter")
    expect(page.get_by_role("heading", name="Search")).to_be_visible()
    expect(page.get_by_role("link", name="Archive")).to_be_visible()
    page.get_by_role("combobox", name="Search vaults").press_sequentially("arch")
    page.get_by_role("option").click()
    expect(page.get_by_role("heading", name="Archive")).to_be_visible()


def test_geo_redundancy_is_closed_at_once_in_a_region_without_a_pair(page: Page) -> None:
    call_command("sync_regions", stdout=StringIO())
    Region.objects.create(slug="local-c", name="Local C")
    page.goto("/vaults/new/")
    geo, local = page.get_by_role("radio", name="Geo-redundant"), page.get_by_role("radio", name="Locally redundant")
    says = page.get_by_text("Data is copied to the paired region and can be restored from there.")
    expect(says).to_be_visible()
    expect(geo).to_be_checked()
    page.get_by_label("Region").select_option(label="Local C")
    expect(geo).to_be_disabled()
    expect(local).to_be_checked()
    expect(page.get_by_text("Local C has no open paired region.")).to_be_visible()
    expect(page.get_by_text("Kept in Local C only.")).to_be_visible()
    card = page.locator(".choice", has=geo)
    card.click(force=True)  # nowhere on the card
    expect(geo).not_to_be_checked()
    expect(local).to_be_checked()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page)
        assert found.response["violations"] == [], found.generate_report()
    page.get_by_label("Region").select_option(label="Local A")
    expect(geo).to_be_enabled()
    expect(geo).to_be_checked()  # what was chosen before is not forgotten
    page.locator(".choice", has=local).click(position={"x": 5, "y": 5})
    expect(local).to_be_checked()  # the whole card is the label
    page.get_by_label("Region").select_option(label="Local B")
    expect(page.get_by_text("Kept in Local B only.")).to_be_visible()
    expect(local).to_be_checked()


def test_the_search_page_suggests_on_a_narrow_window(page: Page, boss: User) -> None:
    ask_for_three(boss)
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("link", name="Search").click()
    page.wait_for_load_state("load")
    field, options = page.get_by_role("combobox", name="Name of a vault"), page.get_by_role("option")
    expect(page.get_by_role("combobox")).to_have_count(1)  # the one of the top is hidden
    expect(field).to_be_focused()
    field.press_sequentially("pay")
    expect(options).to_have_count(2)
    found = Axe().run(page)
    assert found.response["violations"] == [], found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    field.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", "find-suggestions-1")
    title = options.first.locator(".name").inner_text()
    field.press("Enter")
    expect(page.get_by_role("heading", name=title)).to_be_visible()


def test_an_operation_is_followed_to_its_end_and_read_out(page: Page, boss: User) -> None:
    line = page.get_by_role("region", name="Notifications")
    run(State.RUNNING, boss, step="step 1 of 5", progress=20)
    expect(line.get_by_text("step 1 of 5")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=TITLE)).to_be_attached()
    expect(line.locator("[data-since]")).to_have_text(re.compile(r"^\d+ s$"))
    run(State.RUNNING, boss, step="step 4 of 5", progress=80)
    expect(line.get_by_text("step 4 of 5")).to_be_visible()
    run(State.SUCCEEDED, boss, title='Successfully created vault "Payroll".')
    expect(line.get_by_text('Successfully created vault "Payroll".')).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Successfully created")).to_be_attached()
    page.reload()
    expect(line.get_by_text('Successfully created vault "Payroll".')).to_be_visible()
    assert page.locator("#notifications").bounding_box()["height"] == 45  # type: ignore[index]  # 44 and a border


def test_a_success_leaves_by_itself_and_what_needs_somebody_stays(page: Page, boss: User) -> None:
    publish("f", state=State.FAILED, title="It failed.", user=boss)
    run(State.SUCCEEDED, boss, title="It went well.")
    line = page.get_by_role("region", name="Notifications")
    page.reload()
    expect(line.get_by_text("It went well.")).to_be_visible()
    expect(line.get_by_text("1 needs you")).to_be_visible()
    expect(line.get_by_text("1 ended")).to_be_visible()
    expect(line.get_by_text("It failed.")).to_be_visible()
    expect(line.get_by_text("It went well.")).to_be_hidden()
    page.reload()
    expect(line.get_by_text("It failed.")).to_be_visible()
    expect(line.get_by_text("It went well.")).to_be_hidden()
    page.goto("/notifications/")
    expect(page.get_by_role("main").get_by_text("It went well.")).to_be_visible()
    expect(page.get_by_role("region", name="Notifications")).to_be_hidden()


def test_the_list_opens_over_the_content_by_keyboard_and_stays_open(page: Page, boss: User) -> None:
    publish("f", state=State.FAILED, title="It failed.", url="/vaults/", user=boss)
    publish("i", state=State.INFO, title="For information.", user=boss)
    page.reload()
    line, opened = page.locator("#notification-line"), page.get_by_role("dialog", name="Notifications")
    line.press("Enter")
    expect(opened).to_be_focused()
    run(State.RUNNING, boss, step="step 2 of 5")
    expect(opened.get_by_text("step 2 of 5")).to_be_visible()
    expect(opened).to_be_focused()
    opened.get_by_role("button", name="Dismiss completed").press("Enter")
    expect(opened.get_by_text("For information.")).to_be_hidden()
    expect(opened.get_by_text("It failed.", exact=True)).to_be_visible()
    opened.get_by_role("button", name="Dismiss: It failed.").press("Enter")
    expect(opened.get_by_text("It failed.", exact=True)).to_be_hidden()
    expect(opened).to_be_focused()
    page.keyboard.press("Escape")
    expect(opened).to_be_hidden()
    expect(line).to_be_focused()


def test_nothing_new_changes_nothing_on_the_page(page: Page, boss: User) -> None:
    run(State.RUNNING, boss)
    with page.expect_response(lambda response: response.url.endswith("/area/") and response.status == 304):
        page.reload()
    page.evaluate("document.querySelector('#notification-line').dataset.mine = 'kept'")
    with page.expect_response(lambda response: response.url.endswith("/area/") and response.status == 304):
        pass
    expect(page.locator("#notification-line")).to_have_attribute("data-mine", "kept")


def test_the_area_learns_at_once_what_the_page_learns(page: Page, boss: User) -> None:
    page.goto("/requests/")
    page.clock.install()  # no poll comes by itself any more
    run(State.RUNNING, boss, step="step 1 of 5")
    request_of(boss, Subscription.objects.get(), Region.objects.create(slug="a", name="A"), "Fresh")
    page.evaluate("window.htmx.trigger('#request-table', 'refresh')")
    page.clock.run_for(500)
    expect(page.get_by_role("link", name="Fresh")).to_be_visible()
    expect(page.get_by_role("region", name="Notifications").get_by_text("step 1 of 5")).to_be_visible()


def test_a_portal_that_is_away_is_told_and_found_again(page: Page, boss: User) -> None:
    run(State.RUNNING, boss)
    page.reload()

    def away(route: Route) -> None:
        route.abort()

    page.route("**/notifications/area/", away)
    expect(page.get_by_text("The portal cannot be reached.")).to_be_visible()
    page.unroute("**/notifications/area/", away)
    expect(page.get_by_text("The portal cannot be reached.")).to_be_hidden()


def test_an_open_page_says_that_one_is_signed_out_and_keeps_what_was_typed(page: Page, boss: User) -> None:
    run(State.RUNNING, boss)
    page.goto("/accounts/tokens/")
    page.get_by_label("Name", exact=True).fill("half typed")
    User.objects.update(is_active=False)
    expect(page.get_by_role("alert").filter(has_text="You are signed out.")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("half typed")


def test_a_form_stays_while_the_portal_does_not_answer(page: Page) -> None:
    page.goto("/accounts/tokens/")
    page.get_by_label("Name", exact=True).fill("nightly")
    page.get_by_label("Your password").fill(PASSWORD)
    page.route("**/health/live", lambda route: route.abort())
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_text("The portal is not responding, so this was not sent.")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("nightly")
    page.unroute("**/health/live")
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_text("Copy the token now.")).to_be_visible()


def test_a_form_sent_after_the_session_has_ended_comes_back_filled_in(page: Page, boss: User) -> None:
    Region.objects.create(slug="a", name="A")
    page.goto("/vaults/new/")
    page.get_by_label("Name", exact=True).fill("Typed-long-ago")
    page.get_by_label("Reason").fill("Ten minutes")
    page.get_by_label("Locally redundant").check()
    page.context.clear_cookies()
    page.get_by_role("button", name="Create vault").click()
    expect(page.get_by_text("What you typed is kept.")).to_be_visible()
    page.get_by_label("User name").fill("boss")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("so this form was not sent.")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Typed-long-ago")
    expect(page.get_by_label("Reason")).to_have_value("Ten minutes")
    assert VaultRequest.objects.count() == 0
    page.get_by_role("button", name="Create vault").click()
    expect(page.get_by_role("heading", name="Typed-long-ago")).to_be_visible()


def test_without_scripts_nothing_offers_to_copy(browser: Browser, live_server: LiveServer, page: Page) -> None:
    page.goto("/accounts/tokens/")
    page.get_by_label("Name", exact=True).fill("nightly")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_role("button", name="Copy")).to_be_visible()
    state = page.context.storage_state()
    plain = browser.new_context(base_url=live_server.url, java_script_enabled=False, storage_state=state).new_page()
    plain.goto("/accounts/tokens/")
    plain.get_by_label("Name", exact=True).fill("weekly")
    plain.get_by_label("Your password").fill(PASSWORD)
    plain.get_by_role("button", name="Create token").click()
    expect(plain.get_by_text("Copy the token now.")).to_be_visible()
    expect(plain.locator("[data-copy]")).to_have_count(1)
    expect(plain.locator("[data-copy]")).to_be_hidden()
    plain.context.close()


def test_the_theme_changes_at_once_and_stays(page: Page) -> None:
    page.get_by_role("button", name="Account").click()
    with page.expect_response("**/accounts/theme/"):
        page.get_by_role("button", name="Dark").click()
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_token_is_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/accounts/tokens/")
    page.get_by_label("Name", exact=True).fill("nightly")
    page.get_by_label("Your password").fill(PASSWORD)
    page.clock.install()
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_role("button", name="Copy")).to_be_visible()
    page.clock.pause_at(timezone.now() + timedelta(minutes=1))  # "Copied" stands for a moment only
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.clock.run_for(1500)
    expect(page.get_by_role("button", name="Copy", exact=True)).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("strongroom_")


@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_passes_axe_and_fits(page: Page, boss: User, width: int) -> None:
    run(State.RUNNING, boss, step="step 1 of 5", progress=20)
    publish("f", state=State.FAILED, title="Failed", step="Press Retry.", url="/vaults/", user=boss)
    publish("i", state=State.INFO, title="For information", user=boss)
    page.set_viewport_size({"width": width, "height": 844})
    for path in ("/notifications/", "/accounts/", "/accounts/tokens/", "/audit/", "/api/v1/docs", "/nothing-here/"):
        page.goto(path)
        if path == "/accounts/":
            page.locator("#notification-line").click()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            report = Axe().run(page)
            assert report.violations_count == 0, f"{path} in {scheme}: {report.generate_report()}"
        page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_no_cell_of_the_audit_log_reaches_into_the_next(page: Page, boss: User) -> None:
    digest = "03d38e3629d5e572d26363c9354f143b5b8d57a5e84d0c086e402529f0028d88"
    for machine in ("hr-db-02", "a-very-long-name-of-a-machine.example.internal"):
        record(
            Action.MACHINE_RESTORE_CHECK, actor=Actor(f"machine {machine}", via=Via.AGENT), detail={"snapshot": digest}
        )
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/audit/")
    cells = "[...document.querySelectorAll('.log tbody :is(th, td)')].filter(cell => cell.checkVisibility())"
    assert page.evaluate(f"{cells}.length") >= 9
    assert (
        page.evaluate(f"{cells}.filter(cell => cell.scrollWidth > cell.clientWidth).map(cell => cell.innerText)") == []
    )


def test_the_last_row_scrolls_clear_of_the_line(page: Page, boss: User) -> None:
    publish("n", state=State.FAILED, title="Entry", user=boss)
    page.set_viewport_size({"width": 1440, "height": 400})
    page.goto("/accounts/")
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    last = page.get_by_role("button", name="Change password").bounding_box()
    area = page.locator("#notifications").bounding_box()
    assert last is not None
    assert area is not None
    assert last["y"] + last["height"] <= area["y"]
    assert area["y"] + area["height"] == pytest.approx(400, abs=1)
