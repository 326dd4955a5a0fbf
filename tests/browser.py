"""Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.db import connection
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium-headless-shell", "chromium")
"""Programs that will do, the better one first: the shell has no window to draw, and takes a third less of the CPU."""
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for the tests of a module, without a window.

    Playwright runs a loop in this thread, of which there can be one only, and Django takes that for asynchronous code.
    """
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
        # The connection of Playwright's context: nobody else would close it, and the database could not be dropped.
        connection.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
