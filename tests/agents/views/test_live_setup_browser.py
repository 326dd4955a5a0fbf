"""A setup followed in a real browser: steps fold and stay as people leave them, and every state is accessible."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from agents.models import Onboarding, RefusedRegistration, Run
from portal.accounts.models import User
from tests.agents.factories import credential_of, well_run
from tests.agents.views.setups import setting_up, shown_code
from vaults.models import OneTimeCode, Vault

pytestmark = [pytest.mark.system, pytest.mark.django_db(transaction=True)]
SOON = 10_000  # milliseconds


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, staff: User, vault: Vault) -> Iterator[Page]:
    """The vault's Quick Start, as `staff` sees it; whatever the browser complains about fails the test."""
    client = Client()
    client.force_login(staff)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    complaints: list[str] = []
    context = browser.new_context(base_url=live_server.url)
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    shown = context.new_page()
    shown.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    yield shown
    heard = list(complaints)
    context.close()
    assert heard == []


def open_page(page: Page, vault: Vault) -> None:
    page.goto(f"/vaults/{vault.pk}/quick-start/")


def accessible(page: Page) -> None:
    """No violation by axe in light and dark, nothing beyond the edge of a wide or narrow window."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        report = Axe().run(page)
        assert report.violations_count == 0, report.generate_report()
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def fold(page: Page, key: str) -> object:
    """Whether the step is open."""
    return page.evaluate(f"document.querySelector('details.fold:has(#{key}-mark)').open")


def test_progress_moves_and_what_was_opened_stays_open(page: Page, vault: Vault, staff: User) -> None:
    checks = {"program": {}, "cache": {"free": 1 << 40, "needed": 1 << 20}}
    half = {"bytes_done": 1, "bytes_total": 2, "files_done": 1, "files_total": 4}
    setting_up(vault, credential_of(vault, staff), step="backup", figures=half, checks=checks)
    open_page(page, vault)
    bar = page.get_by_role("progressbar", name="First backup")
    expect(bar).to_have_attribute("value", "50")
    accessible(page)
    done = page.locator(".live-setup summary")
    done.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("1.00 TiB free, 1.00 MiB needed")).to_be_visible()
    Onboarding.objects.update(figures={**half, "bytes_done": 2}, last_sign_at=timezone.now())
    expect(bar).to_have_attribute("value", "100", timeout=SOON)
    expect(page.get_by_text("1.00 TiB free, 1.00 MiB needed")).to_be_visible()
    expect(done).to_be_focused()
    accessible(page)
    Onboarding.objects.update(step="restore", figures={}, backed_up_at=timezone.now())
    expect(page.locator("#announcer")).to_contain_text("hr-db-02: Restore check.", timeout=SOON)


def test_steps_fold_when_they_are_done_but_not_under_ones_hands(page: Page, vault: Vault, staff: User) -> None:
    credential = credential_of(vault, staff)
    open_page(page, vault)
    assert (fold(page, "credentials"), fold(page, "register"), fold(page, "backup")) == (True, True, True)
    page.locator("summary", has_text="Get the agent").click()  # closed by hand
    machine = setting_up(vault, credential, step="backup")
    expect(page.locator("#register-mark")).to_have_attribute("data-mark", "done", timeout=SOON)
    expect(page.locator("details.fold:has(#register-mark)")).not_to_have_attribute("open", "")
    page.locator("summary", has_text="First backup").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # folded and opened again, by hand
    page.locator("summary", has_text="Get the agent").click()
    well_run(machine)
    expect(page.locator("#backup-mark")).to_have_attribute("data-mark", "done", timeout=SOON)
    assert (fold(page, "backup"), fold(page, "agent"), fold(page, "restore")) == (True, True, True)
    well_run(machine, Run.Kind.RESTORE_CHECK, figures={"compared": 1, "total": 1})
    began = timezone.now() - timedelta(seconds=99)
    Onboarding.objects.update(began_at=began, proven_at=began + timedelta(seconds=71))
    expect(page.get_by_text("Restored byte for byte 1 min 11 s after its file was issued.")).to_be_visible(timeout=SOON)
    expect(page.locator("details.fold:has(#restore-mark)")).not_to_have_attribute("open", "")
    accessible(page)


def test_a_refusal_shows_while_it_happens(page: Page, vault: Vault, staff: User) -> None:
    code = shown_code(vault, staff, ago=timedelta(seconds=5))
    open_page(page, vault)
    message = "The clock is 2 h behind. <b>Set it</b>."
    values = {"vault": vault, "one_time_code": code, "name": "hr-db-02", "code": "clock_skew", "message": message}
    RefusedRegistration.objects.create(**values, at=timezone.now())
    expect(page.locator("#setup-live").get_by_text(message)).to_be_visible(timeout=SOON)
    expect(page.locator("#announcer")).to_contain_text("hr-db-02 was refused")
    accessible(page)


def test_likely_reasons_come_by_themselves_and_go_again(page: Page, vault: Vault, staff: User) -> None:
    code = shown_code(vault, staff, ago=timedelta(seconds=100))
    open_page(page, vault)
    expect(page.locator(".silence")).to_have_count(0)
    then = timezone.now() - timedelta(minutes=2)
    OneTimeCode.objects.filter(pk=code.pk).update(shown_at=then)
    expect(page.get_by_role("region", name="Likely reasons")).to_be_visible(timeout=SOON)
    accessible(page)
    mine = credential_of(vault, staff, machines_used=1)
    OneTimeCode.objects.filter(pk=code.pk).update(redeemed_at=timezone.now(), credential=mine, key_digest="x")
    setting_up(vault, mine, step="storage")
    expect(page.locator(".silence")).to_have_count(0, timeout=SOON)
    Onboarding.objects.update(last_sign_at=then, registered_at=then)
    expect(page.get_by_role("region", name="Likely reasons")).to_contain_text("last step seen is Storage", timeout=SOON)
    accessible(page)
    Onboarding.objects.update(last_sign_at=timezone.now(), step_state="failed", code="quota_full")
    expect(page.locator(".live-setup .notice.red")).to_contain_text("Storage failed quota_full", timeout=SOON)
    accessible(page)
