"""Makes the README's picture and, given a folder, pictures of every page there: `python -m docs.pictures [FOLDER]`.

It starts a portal of its own and walks the flow as people do, with a real machine, so the pictures show what is there.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser import CHROMIUM, FLAGS
from tests.e2e.machine import make_machine
from tests.e2e.people import Person
from tests.portal_process import Portal, running

HERE = Path(__file__).resolve().parent
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def walk(portal: Portal, browser: Browser, folder: Path) -> tuple[dict[str, Person], dict[str, str]]:
    """Bring the portal into a state worth a picture; gives the people, and the path of each page by its name."""
    people = {name: Person(browser, portal.portal_url, name, portal.accounts[name]) for name in portal.accounts}
    staff, approver = people["staff"], people["approver"]
    pages = {"waiting": staff.ask_for_vault("Finance-Q4")}
    approver.approve(staff.ask_for_vault("Branch-07", redundancy="Locally redundant"))
    branch = staff.open_vault("Branch-07")
    approver.approve(staff.ask_for_vault("Payroll"))
    vault = staff.open_vault("Payroll")
    machine = make_machine(folder, "hr-db-02", files=40, megabytes=8)
    machine.setup(staff.download_credentials(vault, folder))
    expect(staff.page.get_by_text("Ready: backed up and restored on").first).to_be_visible()
    staff.go(f"/vaults/{vault}/machines/")
    staff.page.get_by_role("link", name="hr-db-02").first.click()
    staff.page.wait_for_url("**/machines/*/")
    pages["machine"] = staff.page.url.removeprefix(portal.portal_url)
    for tab in ("quick-start", "machines", "configure", "activity"):
        pages[tab] = f"/vaults/{vault}/{tab}/"
    return people, pages | {"dashboard": f"/vaults/{vault}/", "quick-start-new": f"/vaults/{branch}/quick-start/"}


def all_pages(people: dict[str, Person], pages: dict[str, str], folder: Path) -> None:
    """A picture of every page, light and dark, wide and narrow."""
    sights = [("staff", name, path) for name, path in pages.items() if name != "waiting"]
    sights += [("approver", "review", pages["waiting"]), ("staff", "own-request", pages["waiting"])]
    sights += [("staff", name, f"/{name}/") for name in ("vaults", "requests", "agents", "notifications")]
    sights += [
        ("staff", "new", "/vaults/new/"),
        ("staff", "tokens", "/accounts/tokens/"),
        ("staff", "me", "/accounts/"),
        ("staff", "api", "/api/v1/docs"),
    ]
    sights += [("auditor", "audit", "/audit/"), ("admin", "admin", "/admin/"), ("staff", "missing", "/vaults/nothing/")]
    sights += [("staff", "forbidden", "/audit/"), ("staff", "search", "/search/?q=pay")]
    for who, name, path in sights:
        shoot_all(people[who], path, folder, name)


def replacement(people: dict[str, Person], machine: str, folder: Path) -> None:
    """Its page at each moment, for the person who has to do something then."""
    staff, approver = people["staff"], people["approver"]
    page = f"{machine}replacement/"
    shoot_all(staff, page, folder, "replacement-ask")
    staff.page.get_by_label("Reason").fill("The disk is broken.")
    staff.page.get_by_role("button", name="Request a replacement").click()
    expect(staff.page.get_by_role("heading", name="You requested this")).to_be_visible()
    shoot_all(staff, page, folder, "replacement-asked")
    shoot_all(approver, "/requests/", folder, "replacement-queue")
    shoot_all(approver, page, folder, "replacement-decide")
    approver.page.get_by_label("Comment").fill("Seen it myself.")
    approver.page.get_by_role("button", name="Agree").click()
    expect(approver.page.get_by_role("heading", name="Replacement credentials")).to_be_visible()
    shoot_all(approver, page, folder, "replacement-agreed")
    shoot_all(staff, page, folder, "replacement-download")


def sign_in(person: Person, folder: Path) -> None:
    """The page before everything else; the person is a stranger afterwards."""
    person.context.clear_cookies()
    shoot_all(person, "/vaults/", folder, "sign-in")


def shoot_all(person: Person, path: str, folder: Path, name: str) -> None:
    """Four pictures of one page."""
    for size, dimensions in (("wide", WIDE), ("narrow", NARROW)):
        for scheme in ("light", "dark"):
            shoot(person, path, folder / f"{name}-{size}-{scheme}.png", dimensions, scheme, whole=True)


def shoot(person: Person, path: str, file: Path, size: dict[str, int], scheme: str, *, whole: bool = False) -> None:
    """One picture of one page: what the window shows, or also what one would have to scroll to."""
    person.page.set_viewport_size(size)  # type: ignore[arg-type]
    person.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    person.go(path)
    person.page.wait_for_load_state("networkidle")
    person.page.screenshot(path=file, full_page=whole)


def main() -> None:
    """Make the README's picture, and those of all pages when a folder is given."""
    with tempfile.TemporaryDirectory() as scratch, running() as portal, chromium() as browser:
        people, pages = walk(portal, browser, Path(scratch))
        shoot(people["staff"], pages["quick-start"], HERE / "quick-start.png", WIDE, "light")
        if sys.argv[1:]:
            folder = Path(sys.argv[1])
            folder.mkdir(parents=True, exist_ok=True)
            all_pages(people, pages, folder)
            replacement(people, pages["machine"], folder)
            sign_in(people["staff"], folder)


if __name__ == "__main__":
    main()
