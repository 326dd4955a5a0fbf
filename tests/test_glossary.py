"""The glossary in CONTRIBUTING is true: what it names is where it says, and no name has a word that it rules out."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("portal", "vaults", "agents", "deploy")


class Term(NamedTuple):
    """One row of the table."""

    name: str
    meaning: str
    place: str
    ruled_out: tuple[str, ...]


def terms(text: str) -> list[Term]:
    """The rows of the table under `## Words`."""
    table = text.split("\n## Words\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| ")]
    return [
        Term(name, meaning, place.strip("`"), tuple(re.findall(r"\w+", no))) for name, meaning, place, no in rows[1:]
    ]


GLOSSARY = terms((ROOT / "CONTRIBUTING.md").read_text())


def words(name: str) -> set[str]:
    """`RefusalCounter` and `refusal_counter` are made of the same two."""
    return set(re.findall(r"[a-z]+", re.sub(r"([A-Z]+)", r"_\1", name).lower()))


def names_in(path: Path, source: str) -> Iterator[str]:
    """The module, its classes and functions."""
    yield path.stem
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def offences(path: Path, source: str, ruled_out: set[str]) -> list[str]:
    """Names that contain a word that is ruled out."""
    return [name for name in names_in(path, source) if words(name) & ruled_out]


def test_there_are_some_forty_terms_in_order() -> None:
    names = [term.name for term in GLOSSARY]
    assert 40 <= len(names) <= 80
    assert names == sorted(set(names))


@pytest.mark.parametrize("term", GLOSSARY, ids=lambda term: term.name)
def test_what_a_term_names_is_where_it_says(term: Term) -> None:
    assert term.meaning
    assert (ROOT / term.place).exists()


def test_no_word_means_two_things() -> None:
    """What is ruled out for one thing is not the name of another one, nor ruled out twice."""
    ruled_out = [word for term in GLOSSARY for word in term.ruled_out]
    assert len(ruled_out) == len(set(ruled_out))
    assert set(ruled_out) & {word for term in GLOSSARY for word in words(term.name)} == set()


def test_nothing_goes_by_a_word_that_is_ruled_out() -> None:
    ruled_out = {word for term in GLOSSARY for word in term.ruled_out}
    paths = [path for folder in SOURCES for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts]
    found = {str(path): names for path in paths if (names := offences(path, path.read_text(), ruled_out))}
    assert found == {}


def test_an_offence_is_found() -> None:
    source = "class OldMirror: ...\ndef load_ring(): ...\ndef ringing(): ...\n"
    assert offences(Path("a/job.py"), source, {"ring", "mirror", "job"}) == ["job", "OldMirror", "load_ring"]
