"""What people do in the browser, by the labels of the contract."""

from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, expect

WAIT = 30_000  # milliseconds for whatever a window is told to do
WINDOWS: list[ViewportSize] = [{"width": 1440, "height": 900}, {"width": 390, "height": 844}]


class Person:
    """Somebody with a browser window of their own, signed in to the portal."""

    def __init__(self, browser: Browser, address: str, username: str, password: str) -> None:
        self.address = address
        self.context: BrowserContext = browser.new_context(accept_downloads=True)
        self.context.set_default_timeout(WAIT)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self._sign_in(username, password)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _sign_in(self, username: str, password: str) -> None:
        self.go("/accounts/login/")
        self.check()
        self.page.get_by_label("User name").fill(username)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("navigation").first).to_be_visible()

    def go(self, path: str) -> None:
        """Open a path of the portal."""
        self.page.goto(self.address + path)

    def check(self) -> None:
        """No violation by axe in light and dark, nothing beyond the edge of wide and narrow windows, no script error,
        nothing that the page's policy had to block."""
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            report = Axe().run(self.page)
            assert report.violations_count == 0, f"{self.page.url} in {scheme}: {report.generate_report()}"
        before = self.page.viewport_size or WINDOWS[0]
        for window in WINDOWS:
            self.page.set_viewport_size(window)
            assert self.page.evaluate("document.documentElement.scrollWidth") <= window["width"], self.page.url
        self.page.set_viewport_size(before)
        assert self.complaints == [], f"{self.page.url}: {self.complaints}"

    def ask_for_vault(self, name: str, *, redundancy: str = "Geo-redundant") -> str:
        """Fill in Quick Create and send it; returns the path of the request's page."""
        self.go("/vaults/new/")
        self.check()
        self.page.get_by_label("Name", exact=True).fill(name)
        self.page.get_by_label(redundancy).check()
        self.page.get_by_label("Reason").fill("Nightly backups of the ledger server")
        self.page.get_by_role("button", name="Create vault").click()
        self.page.wait_for_url("**/requests/*/")
        self.check()
        return self.page.url.removeprefix(self.address)

    def approve(self, path: str) -> None:
        """Review the request and approve it."""
        self.go("/requests/")
        self.check()
        self.go(path)
        self.check()
        self.page.get_by_label("Comment").fill("Agreed with finance.")
        self.page.get_by_role("button", name="Approve", exact=True).click()
        expect(self.page.get_by_text("Approved", exact=True).first).to_be_visible()

    def open_vault(self, name: str) -> str:
        """Go to the vault through the list once it is Active; returns its id."""
        self.go("/vaults/")
        row = self.page.get_by_role("row").filter(has_text=name)
        expect(row.get_by_text("Active", exact=True)).to_be_visible()
        self.check()
        row.get_by_role("link", name=name).click()
        self.page.wait_for_url("**/vaults/*/**")
        return self.page.url.split("/vaults/")[1].split("/")[0]

    def download_credentials(self, vault_id: str, folder: Path, *, machines: int = 1) -> Path:
        """Press `Download vault credentials` on the Quick Start page and save the file as the browser names it."""
        self.go(f"/vaults/{vault_id}/quick-start/")
        field = self.page.get_by_label("For how many machines")
        if not field.is_visible():  # a file was downloaded before, and its step is folded
            self.page.locator("summary", has_text="Download vault credentials").click()
        field.fill(str(machines))
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name="Download vault credentials").click()
        target = folder / download.value.suggested_filename
        download.value.save_as(target)
        return target


SignIn = Callable[[str], Person]
