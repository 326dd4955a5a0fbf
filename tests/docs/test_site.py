"""What the build of the documentation's site takes, and what the site asks of the network: nothing."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.suite import ROOT, SPHINX

PAGES = {
    "docs/index.md": "# Index\n\n```{toctree}\nlinks\n```\n",
    "docs/links.md": "# Links\n\n[file](gone.md) [part](index.md#nowhere) [here](#nothing) [picture](gone.png)\n",
    "docs/stray.md": "# Stray\n",
}
COMPLAINTS = {
    "a dead link": "'gone.md' [myst.xref_missing]",
    "a dead anchor of another page": "'nowhere' [myst.xref_missing]",
    "a dead anchor of the page itself": "'nothing' [myst.xref_missing]",
    "a file that is not there": "'gone.png' [myst.xref_missing]",
    "a page that no list has": "docs/stray.md: WARNING: document isn't included in any toctree [toc.not_included]",
}
FETCHED = re.compile(
    r"""<(?:script|link|img|iframe)\b[^>]*(?:src|href)="(?:https?:)?//[^>]*>|(?:url\(|@import )\s*["']?(?:https?:)?//"""
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """How a build with such pages ended, and its site."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "docs").mkdir()
    for name, text in PAGES.items():
        (source / name).write_text(text)
    return subprocess.run([*SPHINX, source, site], cwd=ROOT, capture_output=True, text=True, check=False), site


def test_it_fails(built: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    assert built[0].returncode == 1


@pytest.mark.parametrize("complaint", COMPLAINTS.values(), ids=COMPLAINTS.keys())
def test_it_names(built: tuple[subprocess.CompletedProcess[str], Path], complaint: str) -> None:
    assert complaint in built[0].stderr


def test_pages_and_styles_fetch_nothing_from_elsewhere(built: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    files = [path for path in built[1].rglob("*") if path.suffix in {".html", ".css"}]
    assert len(files) > len(PAGES)
    assert [(path.name, found) for path in files for found in FETCHED.findall(path.read_text())] == []
