"""The wizard with a one-time code instead of the file: each wrong answer, each way back, and what is kept of it."""

from pathlib import Path

import pytest
from strongroom_agent.core.errors import AgentError
from strongroom_agent.portal import enrolment_code, pinned_root
from strongroom_agent.setup.checks import SetupOptions
from strongroom_agent.state.home import Home

from .wizards import all_answers, ask, told
from .world import World

CODE, PIN, VAULT = "7K3M-9QXT-2VFD", "ab" * 32, "00000000-0000-4000-8000-000000000000"
EDGE = "https://strongroom.example.com:8443"
OFFERED = enrolment_code.Offered("7K3M9QXT2VFD", EDGE, PIN, VAULT)


@pytest.fixture(autouse=True)
def no_portal(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str | None]]:
    """What would be asked for its roots."""
    asked: list[tuple[str, str, str | None]] = []

    def fetch(edge_url: str, digest: str, proxy: str | None) -> str:
        asked.append((edge_url, digest, proxy))
        return "roots"

    monkeypatch.setattr(pinned_root, "fetch", fetch)
    return asked


def code_answers(machine: World, **other: str) -> list[str]:
    """Good answers to all questions, in their order, but for the `other` ones."""
    good = {"code": CODE, "edge": EDGE, "pin": PIN, "vault": VAULT, **other}
    typed = all_answers(machine)
    return [*typed[:4], *good.values(), *typed[5:]]


def test_a_code_stands_for_the_file(
    alone: World, capsys: pytest.CaptureFixture[str], no_portal: list[tuple[str, str, str | None]]
) -> None:
    found = ask(alone, *code_answers(alone, code=" 7k3m 9qxt-2vfd", edge=f"{EDGE}/", pin="AB:" * 31 + "AB"))
    assert found.offered == OFFERED
    assert found.credentials == str(enrolment_code.kept_at(Home(alone.home)))
    assert no_portal == [(EDGE, PIN, None)]
    text = told(capsys)
    assert "Portal: https://strongroom.example.com:8443 answers, and the clocks agree" in text
    assert "5 Vault credentials file: a one-time code, not shown" in text
    assert "9 Name of this machine: host-1" in text
    kept = (alone.home / "setup-answers.json").read_text()
    for secret in (CODE, OFFERED.code, "7k3m"):
        assert secret not in text + repr(found) + kept


WRONG = [
    ("code", "7K3M-9QXT-2VFU", "This is not a one-time code: it has twelve letters and digits"),
    ("code", "7K3M-9QXT-2VF", "This is not a one-time code"),
    ("code", "7K3M-9QXT-2VFDD", "This is not a one-time code"),
    ("code", "7K3M", "Unable to read the vault credentials file."),
    ("code", "", "This is needed. Type the path of the file, or the code."),
    ("edge", "http://strongroom.example.com", "is not an https address without a path"),
    ("edge", "https://strongroom.example.com/path", "is not an https address without a path"),
    ("edge", "strongroom", "is not an https address without a path"),
    ("edge", "", "This is needed."),
    ("pin", "ab" * 31, "is not a SHA-256: 64 hexadecimal digits."),
    ("pin", "xy" * 32, "is not a SHA-256: 64 hexadecimal digits."),
    ("vault", "Payroll", "is not the identifier of a vault."),
]


@pytest.mark.parametrize(("where", "wrong", "what"), WRONG)
def test_each_wrong_answer_is_told_and_asked_for_again(
    alone: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, where: str, wrong: str, what: str
) -> None:
    (alone.root / "file.VaultCredentials").unlink()
    empty = alone.root / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    typed = code_answers(alone)
    typed.insert(["code", "edge", "pin", "vault"].index(where) + 4, wrong)
    assert ask(alone, *typed).offered == OFFERED
    assert what in told(capsys)


@pytest.mark.parametrize("number", range(4, 11))
def test_each_question_can_be_gone_back_from(alone: World, number: int) -> None:
    typed = code_answers(alone)
    found = ask(alone, *typed[:number], "<", "", *typed[number:])
    assert found.offered == OFFERED


def test_from_the_code_to_the_file_and_back(alone: World) -> None:
    typed, file = code_answers(alone), str(alone.root / "file.VaultCredentials")
    found = ask(alone, *typed[:5], "<", file, *all_answers(alone)[5:])
    assert (found.code, found.offered, found.credentials) == ("", None, file)
    found = ask(alone, "no", *all_answers(alone)[:5], "<", *typed[4:])
    assert found.offered == OFFERED


def test_a_code_is_asked_for_again_after_an_interruption(alone: World) -> None:
    """All else is kept: it was used once, or has ended meanwhile."""
    with pytest.raises(AgentError):
        ask(alone, *code_answers(alone)[:9])
    found = ask(alone, "yes", "0000-1111-2222", "", "", "")
    assert found.offered == enrolment_code.Offered("000011112222", EDGE, PIN, VAULT)


def test_what_a_used_code_gave_is_proposed(alone: World) -> None:
    """Setup was interrupted after the code was redeemed: what it gave lies in the state folder, as a file."""
    home = Home(alone.home)
    home.ensure()
    home.write_text(enrolment_code.FILE, Path(alone.root / "file.VaultCredentials").read_text())
    found = ask(alone, *all_answers(alone, credentials=""))
    assert (found.credentials, found.offered) == (str(enrolment_code.kept_at(home)), None)


def test_flags_of_the_line_are_not_asked_for(alone: World) -> None:
    typed, known = all_answers(alone), ("code", "edge", "ca_sha256", "vault")
    given = SetupOptions(
        code=CODE,
        credentials=str(enrolment_code.kept_at(Home(alone.home))),
        edge=EDGE,
        ca_sha256=PIN,
        vault=VAULT,
    )
    assert ask(alone, *typed[:4], *typed[5:], given=given, known=known).offered == OFFERED
    asked_for = SetupOptions(code="-", credentials=given.credentials, edge=EDGE, ca_sha256=PIN, vault=VAULT)
    assert ask(alone, "no", *typed[:4], CODE, *typed[5:], given=asked_for, known=known).offered == OFFERED
    wrong = SetupOptions(code="no code", credentials=given.credentials, edge=EDGE, ca_sha256=PIN, vault=VAULT)
    assert ask(alone, "no", *typed[:4], CODE, *typed[5:], given=wrong, known=known).offered == OFFERED


def test_a_file_that_is_called_like_a_code(alone: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(alone.root)
    (alone.root / "file.VaultCredentials").rename(alone.root / "7K3M9QXT2VFD")
    found = ask(alone, *all_answers(alone, credentials="7K3M9QXT2VFD"))
    assert (found.credentials, found.code) == (str(alone.root / "7K3M9QXT2VFD"), "")
