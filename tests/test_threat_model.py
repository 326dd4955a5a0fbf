"""THREAT_MODEL.md claims nothing without a test that is there, and names no test that is not."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "THREAT_MODEL.md").read_text()
CLAIMS = TEXT[TEXT.index("## Claims") :]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
ROWS = [line for line in CLAIMS.splitlines() if line.startswith("| ") and not line.startswith("| claim |")]


@cache
def names_in(path: str) -> frozenset[str]:
    """The tests that a file defines, those of classes as `Class::test`; found by reading it, not by running it."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {f"{prefix}{each.name}" for each in members if isinstance(each, ast.FunctionDef)}
    return frozenset(name for name in found if name.split("::")[-1].startswith("test_"))


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED.findall(TEXT))))
def test_each_named_test_exists(path: str, name: str) -> None:
    assert (ROOT / path).is_file(), f"There is no {path}."
    assert name in names_in(path), f"{path} has no {name}."


@pytest.mark.parametrize("row", ROWS)
def test_each_claim_names_a_test_or_says_that_none_shows_it(row: str) -> None:
    claim, shown = row.strip("| ").split(" | ")
    rest = NAMED.sub("", shown).strip()
    if rest.startswith("not shown by a test"):
        return
    assert NAMED.search(shown), f"No test shows: {claim}"
    assert rest == "", f"This is no name of a test: {rest}"


def test_the_table_is_read_at_all() -> None:
    assert len(ROWS) > 40
    assert len(NAMED.findall(CLAIMS)) > len(ROWS)
