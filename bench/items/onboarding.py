"""From paste to proof, as somebody does it who has never seen this: the page, its line, a shell, the code, the page."""

import os
import shlex
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from bench.portal import Portal
from bench.programs import Broken
from bench.stage import Stage
from bench.table import Figure, Limit, Row

LIMIT = Limit(90, unit="s")
MOST_ANSWERS = 3
PATIENCE = 600  # seconds for the whole of it
PROVEN = "Restored byte for byte"
FILES = 200
_CHROMIUM = ("chromium-headless-shell", "chromium")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_FOLDERS = {
    "/opt/strongroom-agent": "program",
    "/var/cache/strongroom-agent": "cache",
    "/root/strongroom-passphrase": "passphrase",
}
"""Of the system, in the line; each machine here has its own."""


@dataclass(frozen=True)
class Newcomer:
    """A machine with nothing on it but files; the whole of it below `folder`."""

    folder: Path
    size: int  # bytes

    @property
    def files(self) -> Path:
        """What is protected."""
        return self.folder / "files"

    def make(self) -> None:
        """Files whose bytes do not compress, and that no other machine has."""
        self.files.mkdir(parents=True)
        (self.folder / "home").mkdir()
        for number in range(FILES):
            (self.files / f"{number:04d}.bin").write_bytes(os.urandom(self.size // FILES))

    def fitted(self, line: str) -> str:
        """The line with folders and a name of this machine's own: what a person changes at its end, and no more."""
        for of_the_system, ours in _FOLDERS.items():
            if line.count(of_the_system) != 1:
                raise Broken(f"{of_the_system} does not stand once in the line: {line}")
            line = line.replace(of_the_system, shlex.quote(str(self.folder / ours)))
        if not line.endswith("--protect /home"):
            raise Broken(f"The line does not end with what is protected: {line}")
        return f"{line.removesuffix('/home')}{shlex.quote(str(self.files))} --name {self.folder.name}"

    def paste(self, line: str, answers: list[str]) -> str:
        """Run the line in a shell and type the answers, no more; what it says. Raises Broken when it fails."""
        alone = {"STRONGROOM_SETUP_NO_SCHEDULE": "yes", "STRONGROOM_SETUP_NO_LINK": "yes"}
        home = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder), "PATH": os.environ["PATH"]}
        done = subprocess.run(
            ["/bin/sh", "-c", self.fitted(line)],
            env={**home, **alone},
            input="".join(f"{answer}\n" for answer in answers),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise Broken(f"The line ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-1500:]}")
        return done.stdout


def rows(stage: Stage) -> Iterator[Row]:
    """Seconds from the moment at which the copied line is pasted to the one at which the page says that a restore is
    proven, for vaults and machines that are new each time."""
    with sync_playwright() as playwright:
        program = next(filter(None, map(shutil.which, _CHROMIUM)), None)
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        context = browser.new_context(base_url=stage.portal.address)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        _sign_in(page, stage.portal)
        rounds = [_once(stage, page, number) for number in range(stage.sizes.pastes)]
        browser.close()
    seconds = [took for took, _ in rounds]
    answers = max(typed for _, typed in rounds)
    if answers > MOST_ANSWERS:
        raise Broken(f"{answers} answers were typed, where {MOST_ANSWERS} are the most")
    told = f"{stage.sizes.paste_bytes / 1e6:,.0f} MB, {FILES} files, slowest of {len(rounds)}"
    each = ", ".join(f"{took:.1f} s" for took in seconds)
    notes = (f"each: {each}; median {statistics.median(seconds):.1f} s; answers typed: {answers}",)
    yield Row('paste to "restored byte for byte"', Figure(max(seconds)), None, LIMIT, told, notes)


def _once(stage: Stage, page: Page, number: int) -> tuple[float, int]:
    """The seconds that it took, and how many answers were typed."""
    vault = stage.portal.new_vault(f"paste-{number}")
    machine = Newcomer(stage.folder / f"paste-{number}", stage.sizes.paste_bytes)
    machine.make()
    try:
        page.goto(f"/vaults/{vault}/quick-start/")
        page.get_by_role("button", name="Show a one-time code").click()
        answers = [page.locator("#one-time-code").inner_text()]
        page.locator("#one-line").get_by_role("button", name="Copy").first.click()
        line: str = page.evaluate("navigator.clipboard.readText()")
        began = time.monotonic()
        said = machine.paste(line, answers)
        page.get_by_text(PROVEN).wait_for(timeout=PATIENCE * 1000)
        took = time.monotonic() - began
        if f"{FILES} of {FILES} files" not in said:
            raise Broken(f"Not all files were compared: {said[-500:]}")
        return took, len(answers)
    finally:
        shutil.rmtree(machine.folder)


def _sign_in(page: Page, portal: Portal) -> None:
    """As staff, in the browser."""
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill("staff")
    page.get_by_label("Password", exact=True).fill(portal.password("staff"))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("navigation").first.wait_for()
