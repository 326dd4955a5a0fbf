"""The whole flow on real parts: three people in a real browser, a real machine, the real edge, the real restic."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.e2e.machine import contents, make_machine, restored
from tests.e2e.people import Person, SignIn
from tests.portal_process import Portal

pytestmark = pytest.mark.system
FILES = 220
MEGABYTES = 105


@pytest.fixture
def active_vault(sign_in: SignIn) -> Callable[..., tuple[Person, str]]:
    """Asks for a vault as `staff`, approves it as `approver`; returns staff's window and the id of the Active vault."""

    def make(name: str, **choices: str) -> tuple[Person, str]:
        staff, approver = sign_in("staff"), sign_in("approver")
        request = staff.ask_for_vault(name, **choices)
        approver.approve(request)
        return staff, staff.open_vault(name)

    return make


def test_from_request_to_restored(
    portal: Portal, sign_in: SignIn, active_vault: Callable[..., tuple[Person, str]], tmp_path: Path
) -> None:
    """Request, approval, Active, credential, registration, backup, restore, seen live; then the pair alone restores."""
    staff, vault_id = active_vault("Payroll")
    expect(staff.page.get_by_text('Successfully created vault "Payroll".').first).to_be_visible()
    credentials = staff.download_credentials(vault_id, tmp_path)
    assert credentials.name.startswith("Payroll_")
    assert credentials.suffix == ".VaultCredentials"
    staff.check()

    machine = make_machine(tmp_path, "hr-db-02", files=FILES, megabytes=MEGABYTES)
    before = contents(machine.files)
    assert sum(len(one) for one in before.values() if isinstance(one, bytes)) >= 100_000_000
    machine.setup(credentials)
    # Nobody touches the page: it must tell by itself which machine came, and that it was restored.
    expect(staff.page.get_by_text("That was hr-db-02.")).to_be_visible()
    expect(staff.page.get_by_text("Ready: backed up and restored on").first).to_be_visible()
    staff.check()

    machine.agent("restore", "--target", tmp_path / "back")
    assert contents(restored(tmp_path / "back", machine.files)) == before

    portal.wait_for_copy(vault_id)
    _walk(staff, vault_id)
    _see_what_bringing_back_does(staff)
    _weaken_retention(staff, sign_in("approver"), vault_id)
    _audit_has(sign_in("auditor"), "machine:register")

    gone = portal.data / "storage" / "local-a"
    gone.rename(gone.with_name("local-a.away"))
    try:
        machine.agent("restore", "--target", tmp_path / "from-pair")
    finally:
        shutil.rmtree(gone, ignore_errors=True)
        gone.with_name("local-a.away").rename(gone)
    assert contents(restored(tmp_path / "from-pair", machine.files)) == before


def _walk(staff: Person, vault_id: str) -> None:
    """Every page that IT staff have, each looked at by axe, light and dark."""
    for path in ("", "quick-start/", "machines/", "configure/", "activity/"):
        staff.go(f"/vaults/{vault_id}/{path}")
        staff.check()
    staff.page.get_by_text("Locked").first.wait_for(state="attached")
    for path in ("/vaults/", "/vaults/new/", "/requests/", "/agents/", "/notifications/", "/accounts/tokens/"):
        staff.go(path)
        staff.check()
    staff.go(f"/vaults/{vault_id}/machines/")
    staff.page.get_by_role("link", name="hr-db-02").first.click()
    staff.page.wait_for_url("**/machines/*/")
    staff.check()


def _see_what_bringing_back_does(staff: Person) -> None:
    """From the machine's page; its backups of now are wanted, so that nothing would change."""
    staff.go(f"{staff.page.url.removeprefix(staff.address)}bring-back/")
    staff.check()
    staff.page.get_by_label("Another time").fill(f"{timezone.now():%Y-%m-%d %H:%M:%S}")
    staff.page.get_by_role("button", name="Show what would happen").click()
    expect(staff.page.get_by_text("so nothing returns")).to_be_visible()
    staff.check()


def _weaken_retention(staff: Person, approver: Person, vault_id: str) -> None:
    """Staff see what would go while they type, and ask; an approver agrees, which the page of staff tells by itself."""
    staff.go(f"/vaults/{vault_id}/configure/")
    staff.page.get_by_label("Keep everything within").fill("20")
    expect(staff.page.get_by_text("This keeps less than now.")).to_be_visible()
    staff.check()
    staff.page.get_by_label("Reason").fill("Too much is kept.")
    staff.page.get_by_role("button", name="Save retention").click()
    expect(staff.page.get_by_role("heading", name="You requested this")).to_be_visible()
    staff.check()
    approver.go("/requests/")
    approver.check()
    approver.go(staff.page.url.removeprefix(staff.address))
    approver.check()
    approver.page.get_by_role("button", name="Approve", exact=True).click()
    expect(staff.page.get_by_role("heading", name="Approved")).to_be_visible()
    staff.check()


def _audit_has(auditor: Person, action: str) -> None:
    auditor.go(f"/audit/?action={action}")
    auditor.page.locator("details.more > summary").first.click()
    expect(auditor.page.get_by_role("table").get_by_text(action).first).to_be_visible()
    auditor.check()
