"""From the commit of a change to the moment at which a browser shows it, by polling alone."""

import math
import random
import shutil
import subprocess
from collections.abc import Iterator

from playwright.sync_api import Page, sync_playwright

from bench import programs
from bench.portal import Portal
from bench.stage import Stage
from bench.table import Figure, Limit, Row

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WATCH = """() => {
  window.sightings = {};
  const look = () => {
    for (const [, number] of document.body.textContent.matchAll(/Sighting (\\d+)!/g)) {
      window.sightings[number] ??= Date.now() / 1000;
    }
  };
  new MutationObserver(look).observe(document.body, { childList: true, characterData: true, subtree: true });
  look();
}"""


def rows(stage: Stage) -> Iterator[Row]:
    """The 95th percentile for one viewer."""
    number = stage.sizes.sightings
    delays = sorted(_delays(stage.portal, number))
    late = delays[math.ceil(0.95 * number) - 1]
    size = f"{number} changes, Chromium"
    notes = (f"{Figure(delays[number // 2])} median, {Figure(delays[-1])} worst",)
    yield Row("commit to seen, 95 %, 1 viewer", Figure(late), None, Limit(1.3, unit="s"), size, notes)


def _delays(portal: Portal, number: int) -> list[float]:
    """Changes at random moments while the page is open."""
    dice = random.Random(95)
    env = {**portal.env, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    with (
        subprocess.Popen(
            programs.python("-m", "bench.probe", "sightings"),
            env=env,
            cwd=programs.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as publisher,
        sync_playwright() as playwright,
    ):
        _publish(publisher, 0)  # what runs makes the page poll fast
        page = _open(playwright.chromium.launch(executable_path=_chromium(), args=list(OPTIONS)).new_page(), portal)
        committed = {}
        for index in range(1, number + 1):
            committed[index] = _publish(publisher, index)
            page.wait_for_function("number => number in window.sightings", arg=index, timeout=40_000)
            page.wait_for_timeout(dice.uniform(0, 1000))
        seen: dict[str, float] = page.evaluate("window.sightings")
        return [seen[str(index)] - at for index, at in committed.items()]


def _publish(publisher: "subprocess.Popen[str]", index: int) -> float:
    """Publish a step; when it was committed."""
    if publisher.stdin is None or publisher.stdout is None:
        raise programs.Broken("The publisher has no pipes.")
    publisher.stdin.write(f"Sighting {index}!\n")
    publisher.stdin.flush()
    return float(publisher.stdout.readline())


def _open(page: Page, portal: Portal) -> Page:
    """The vault list, as `staff` sees it, with a watch on what it shows."""
    session = portal.person("staff").client.cookies["sessionid"]
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": portal.address}])
    page.goto(f"{portal.address}/vaults/")
    page.evaluate(WATCH)
    return page


def _chromium() -> str:
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise programs.Broken("There is no Chromium to see with.")
