"""The pages of docs/flows are true: each step names code and a test, and all that they name is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "flows").glob("*.md"))
PATH = re.compile(r"`([^`]*/[^`]*\.(?:py|js|in)\b[^`]*)`")
STEP = re.compile(r"^\| (\d+) \|(.*)\|$", re.MULTILINE)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@cache
def names_in(path: Path) -> frozenset[str]:
    """The functions and classes of a module, members as `Class::member`; found by reading it, not by running it."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            members = (each for each in node.body if isinstance(each, ast.FunctionDef))
            found |= {node.name, *(f"{node.name}::{each.name}" for each in members)}
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return frozenset(found)


def is_there(named: str) -> bool:
    """Whether `path/of/module.py::name` is there, or another file by its path alone."""
    path, _, name = named.partition("::")
    file = ROOT / path
    return file.is_file() and (name in names_in(file) if file.suffix == ".py" else not name)


def test_there_is_a_page_for_each_main_flow() -> None:
    names = [page.stem for page in PAGES]
    assert names == ["backup-to-proof", "credential-to-registered", "request-to-active", "revocation"]


@each_page
def test_what_a_page_names_is_there(page: Path) -> None:
    assert [named for named in PATH.findall(page.read_text()) if not is_there(named)] == []


@each_page
def test_each_step_names_code_and_a_test(page: Path) -> None:
    steps = STEP.findall(page.read_text())
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    for number, row in steps:
        *_, code, shown = row.split(" | ")
        assert PATH.findall(code), f"Step {number} names no code."
        assert [named for named in PATH.findall(shown) if named.startswith("tests/")], f"No test shows step {number}."


@pytest.mark.parametrize("named", ["portal/queue.py::no", "portal/queue.py", "portal/no.py::enqueue", "static/no.js"])
def test_what_is_not_there_is_noticed(named: str) -> None:
    assert not is_there(named)
