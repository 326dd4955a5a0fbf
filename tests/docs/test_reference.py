"""The pages of codes and commands are as the code is, and have all that is in it."""

import re
import shutil
from pathlib import Path

import pytest
from strongroom_agent.cli.arguments import build
from strongroom_agent.core.errors import REFUSALS

from docs.reference import codes, commands
from docs.reference.__main__ import DOCS, PAGES
from docs.reference.refusals import ROOT, of_agent, of_portal

AGENT = ROOT / "agents" / "client" / "strongroom_agent"
PORTAL = [ROOT / folder for folder in ("portal", "vaults", "agents")]
SAID = re.compile(r'\b(?:AgentError|Refused)\(\s*"([a-z_]+)"|\bcode(?:: str)? ?= ?"([a-z_]+)"|return "(done[a-z_]*)"')
OTHERS = {"password_guessable"}  # of a form's field, which is Django's
FLAG = re.compile(r"(?<![\w-])(--[a-z][a-z-]*)")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_the_code_is(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), f"docs/{name} is not as the code is. Run: make docs"


def test_every_code_in_the_sources_has_its_place() -> None:
    """Looked for in another way than the page is made."""
    there = set(re.findall(r"^## `([a-z_]+)`$", codes.page(), re.M))
    files = {path for folder in (*PORTAL, AGENT) for path in folder.rglob("*.py") if "migrations" not in path.parts}
    found = {next(filter(None, groups)) for path in files for groups in SAID.findall(path.read_text())}
    assert len(found) > 60
    assert found - there - OTHERS == set()
    assert REFUSALS - there == set()


def test_every_code_says_what_it_means() -> None:
    for section in codes.page().split("\n## ")[1:]:
        code, status, *rest = [line for line in section.splitlines() if line]
        assert re.search(r"(exit|HTTP) status: \d", status), code
        assert rest, f"{code} says nothing."


@pytest.mark.parametrize(
    ("code", "message", "remedy", "status"),
    [
        ("engine_missing", "restic, which does the backups, is not installed.", "Install it: ", 0),
        (
            "credential_used_up",
            "Invalid vault credentials provided. It was issued for ",
            "Download new vault cred",
            403,
        ),
        ("passphrase_needed", "The backups of … open with the passphrase", "Give that passphrase with", 0),
        ("throttled", "This machine has reported … runs within an hour.", "", 429),
        ("not_allowed", "Only members of … may do this.", "Ask an administrator", 403),
    ],
)
def test_what_is_said_is_found_with_its_remedy(code: str, message: str, remedy: str, status: int) -> None:
    said = [each for each in (*of_agent(), *of_portal()) if each.code == code and each.message.startswith(message)]
    assert [each.status for each in said] == [status]
    assert any(each.startswith(remedy) for each in said[0].remedies) or not remedy


def test_a_code_that_is_new_is_noticed(tmp_path: Path) -> None:
    """By its own name, through a function that passes a message on, and through a class that is new."""
    shutil.copytree(ROOT / "agents" / "client", tmp_path / "agents" / "client", ignore=shutil.ignore_patterns("*.pyc"))
    new = tmp_path / "agents" / "client" / "strongroom_agent" / "new.py"
    new.write_text(
        "from strongroom_agent.core.errors import AgentError\n"
        "ADVICE = 'Do that.'\n"
        "def made(why):\n    return AgentError('brand_new', why, ADVICE)\n"
        "def go(n):\n    raise made(f'It has {n} legs.')\n"
    )
    extra = {(each.code, each.message) for each in of_agent(tmp_path)} - {(e.code, e.message) for e in of_agent()}
    assert ("brand_new", "It has … legs.") in extra

    (tmp_path / "portal").mkdir()
    (tmp_path / "portal" / "errors.py").write_text(
        "class DomainError(Exception):\n    code = 'failed'\n    status = 400\n"
        "    def __init__(self, message, *, remedy=''):\n        ...\n"
        "class Odd(DomainError):\n    code = 'odd_one'\n    status = 418\n"
        "def go():\n    raise Odd('It is odd.', remedy='Wait.')\n"
    )
    (odd,) = [each for each in of_portal(tmp_path) if each.code == "odd_one"]
    assert (odd.message, odd.remedies, odd.status) == ("It is odd.", ("Wait.",), 418)


def test_every_command_and_flag_of_the_help_is_there() -> None:
    """As `--help` prints them."""
    sections = {part.split("`")[0]: part for part in commands.page().split("\n## `")[1:]}
    listed = re.search(r"\n  COMMAND\n(.*?)\n\n", build().format_help(), re.S)
    assert listed
    assert {f"strongroom-agent {name}" for name in re.findall(r"^    (\S+)", listed[1], re.M)} <= set(sections)
    for name, parser in commands.commands().items():
        usage = parser.format_usage()
        assert set(FLAG.findall(parser.format_help())) - set(FLAG.findall(sections[name])) == set(), usage


def test_every_flag_has_a_meaning() -> None:
    rows = [line for line in commands.page().splitlines() if line.startswith("| `")]
    assert len(rows) > 30
    assert [row for row in rows if row.endswith("|  |")] == []


def test_a_flag_that_is_new_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one of a command of a command, with choices and a default."""
    parser = build()
    action = next(each for each in parser._actions if each.dest == "command")
    nested = action.choices["backup"].add_subparsers()  # type: ignore[index]
    nested.add_parser("daily").add_argument("--at", choices=["dawn", "dusk"], default="dawn", help="when <then>")
    monkeypatch.setattr(commands, "build", lambda: parser)
    assert "## `strongroom-agent backup daily`\n" in commands.page()
    assert "| `--at dawn\\|dusk` | `dawn` | when \\<then> |" in commands.page()
