"""Quick Start in a real browser: it changes by itself, and leaves alone what somebody is typing."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from agents.models import Run
from portal.accounts.models import User
from tests.agents.factories import credential_of, machine_in, well_run
from vaults.models import Vault

pytestmark = [pytest.mark.system, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, staff: User) -> Iterator[Page]:
    """A browser in which `staff` is signed in; whatever it complains about fails the test."""
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
    heard = list(complaints)  # closing the window breaks off what it asks for just then
    context.close()
    assert heard == []


def test_from_waiting_to_ready_without_a_touch(page: Page, vault: Vault, staff: User) -> None:
    credential = credential_of(vault, staff, machines=2)
    page.goto(f"/vaults/{vault.pk}/quick-start/")
    field = page.get_by_label("For how many machines")
    field.fill("17")
    page.evaluate("window.untouched = true")
    expect(page.get_by_text("Listening")).to_be_visible()

    machine = machine_in(vault, credential)
    expect(page.locator("#register-brief")).to_have_text("hr-db-02", timeout=10_000)
    expect(page.locator("#announcer")).to_contain_text("hr-db-02 has registered.")

    for kind in (Run.Kind.BACKUP, Run.Kind.RESTORE_CHECK):
        well_run(machine, kind)
    expect(page.get_by_text("Ready: backed up and restored on")).to_be_visible(timeout=10_000)

    expect(field).to_have_value("17")
    expect(field).to_be_focused()
    assert page.evaluate("window.untouched") is True


def test_a_vault_that_turns_active_gets_its_form(page: Page, vault: Vault) -> None:
    Vault.objects.filter(pk=vault.pk).update(state="Creating")
    page.goto(f"/vaults/{vault.pk}/quick-start/")
    button = page.get_by_role("button", name="Download vault credentials")
    expect(page.get_by_text("this page updates by itself")).to_be_visible()
    expect(button).to_have_count(0)
    with page.expect_response("**/quick-start/?seen=Creating"):  # what it brings has its place on this page as well
        pass
    Vault.objects.filter(pk=vault.pk).update(state="Active")
    expect(button).to_be_visible(timeout=10_000)


def test_the_downloaded_file_has_its_name_and_the_page_follows(page: Page, vault: Vault) -> None:
    page.goto(f"/vaults/{vault.pk}/quick-start/")
    page.get_by_label("For how many machines").fill("2")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download vault credentials").click()
    name = f"Payroll_{timezone.now():%a %b %d %Y}.VaultCredentials"
    assert download.value.suggested_filename == name
    # The step is done now; it stays open for who is at it.
    expect(page.locator("#credentials-live").get_by_text(name)).to_be_visible(timeout=10_000)
    expect(page.get_by_role("button", name="End now")).to_be_visible()
    page.get_by_role("button", name="End now").click()
    dialog = page.get_by_role("dialog", name="End these credentials?")
    dialog.get_by_role("button", name="End now").click()
    expect(page.get_by_text("Ended. The credential can no longer register machines.")).to_be_visible()


def test_revoking_asks_for_the_name(page: Page, vault: Vault, staff: User) -> None:
    machine = machine_in(vault, credential_of(vault, staff))
    page.goto(f"/machines/{machine.pk}/")
    page.get_by_role("button", name="Revoke").click()
    dialog = page.get_by_role("dialog", name="Revoke this machine?")
    expect(dialog).to_be_visible()
    sure = dialog.get_by_role("button", name="Revoke")
    expect(sure).to_be_disabled()
    dialog.get_by_label("Reason (recorded in the audit log)").fill("Lost on the train.")
    dialog.get_by_label("Type hr-db-02 to confirm").fill("hr-db-02")
    sure.click()
    expect(page.get_by_text("hr-db-02 is locked out of storage.")).to_be_visible()
    expect(page.get_by_text("Revoked", exact=True).first).to_be_visible()
