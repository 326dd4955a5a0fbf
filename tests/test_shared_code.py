"""What several tests share lies in modules of its own: no module imports a test or a conftest."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def imported_tests(source: str) -> Iterator[str]:
    """The tests and conftests that the source imports, or imports from."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            for name in node.names:
                path = f"{module}.{name.name}".strip(".")
                if any(part == "conftest" or part.startswith("test_") for part in path.split(".")):
                    yield path


def test_no_module_imports_a_test_or_a_conftest() -> None:
    modules = [path for folder in ("tests", "bench") for path in (ROOT / folder).rglob("*.py")]
    found = {str(path.relative_to(ROOT)): list(imported_tests(path.read_text())) for path in modules}
    assert {module: names for module, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from tests.conftest import person", ["tests.conftest.person"]),
        ("from .test_proof import restored", ["test_proof.restored"]),
        ("from tests.vaults import conftest", ["tests.vaults.conftest"]),
        ("from . import test_proof", ["test_proof"]),
        ("import tests.conftest as shared", ["tests.conftest"]),
        (
            "def late():\n    from tests.run.test_edge import header, status",
            ["tests.run.test_edge.header", "tests.run.test_edge.status"],
        ),
        ("from django.test import Client\nfrom tests.factories import person", []),
    ],
)
def test_each_way_of_importing_is_seen(source: str, found: list[str]) -> None:
    assert list(imported_tests(source)) == found
