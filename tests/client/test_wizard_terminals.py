"""The wizard in real terminals of many kinds, from the first question to a machine that is restored; and its ends."""

import json
import signal

import pytest

from .cheap_key import PASSPHRASE
from .wizards import start, up_to_vault
from .world import World

pytestmark = pytest.mark.system
TERMS = ["xterm-256color", "dumb", "vt100", "linux"]


@pytest.mark.parametrize("term", TERMS)
def test_from_the_first_question_to_a_machine_that_is_restored(person: World, term: str) -> None:
    terminal = start(person, term)
    terminal.answer("What to back up", "/no/such/place")
    terminal.shows("There is nothing at /no/such/place to protect.")
    up_to_vault(terminal, person)
    terminal.answer("Vault credentials file", str(person.root / "file.VaultCredentials"))
    terminal.answer("Name of this machine", "<")
    terminal.answer("Vault credentials file")
    terminal.answer("Name of this machine", "hr-db-02")
    terminal.answer("1 generate one", "2")
    terminal.answer("Your passphrase", "too short")
    terminal.shows("it has 9 characters, at least 16 are needed")
    terminal.answer("Your passphrase", PASSPHRASE)
    terminal.answer("The same once more", PASSPHRASE)
    terminal.answer("Set up this machine?")
    terminal.shows("is registered with vault Payroll, backed up and restored", 60)
    assert terminal.ends() == 0
    assert PASSPHRASE not in terminal.raw
    assert person.told == [("backup", "succeeded"), ("restore_check", "succeeded")]
    assert [each.name for each in person.peer.machines.values()] == ["hr-db-02"]
    assert not (person.home / "setup-answers.json").exists()
    if term == "dumb":
        assert "\x1b" not in terminal.raw


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_nothing_is_coloured(person: World, term: str) -> None:
    terminal = start(person, term, NO_COLOR="1")
    up_to_vault(terminal, person)
    terminal.asked("Vault credentials file")
    colours = [
        code
        for code in terminal.raw.split("\x1b[")[1:]
        if code.partition("m")[0] not in ("", "0")
        and code[:2] in (*(f"3{number}" for number in range(9)), *(f"4{number}" for number in range(9)))
    ]
    assert [code for code in colours if code[2:3] in ("m", ";")] == []


def test_what_is_typed_is_checked_while_it_is_typed(person: World) -> None:
    terminal = start(person, "xterm-256color")
    terminal.asked("What to back up")
    terminal.process.send("/no/such")
    terminal.shows("✗ There is nothing at /no/such to protect.")
    terminal.process.send("\x15" + str(person.source))
    terminal.shows("✓ (Enter goes on)")
    terminal.process.send("\x15<")
    terminal.shows("(Enter goes back)")
    terminal.process.send("\x15" + str(person.source)[:-2] + "\t")
    terminal.shows("> " + str(person.source))
    terminal.process.send("\x03")
    assert terminal.ends() == 1


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_a_killed_wizard_goes_on_where_it_was(person: World, term: str) -> None:
    terminal = start(person, term)
    up_to_vault(terminal, person)
    terminal.asked("Vault credentials file")
    terminal.process.kill(signal.SIGKILL)
    terminal.ends_killed()
    again = start(person, term)
    again.shows("Go on with what you entered on")
    again.answer("UTC? (yes or no)")
    again.asked("Vault credentials file")
    assert "Installation folder" not in again.text
    again.process.sendcontrol("c")
    assert again.ends() == 1
    assert "Stopped" in again.text


@pytest.mark.parametrize("term", TERMS)
def test_ctrl_c_asks_nothing_more(person: World, term: str) -> None:
    terminal = start(person, term)
    terminal.answer("What to back up", str(person.source))
    terminal.asked("Installation folder")
    terminal.process.send("\x03")
    terminal.shows(
        "before anything was changed. Run strongroom-agent setup again in a terminal to go on with what you entered."
    )
    assert terminal.ends() == 1
    assert not (person.root / "program").exists()
    assert not (person.root / "cache").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_end_from_outside_is_no_mess(person: World, number: signal.Signals) -> None:
    terminal = start(person, "xterm-256color")
    terminal.asked("What to back up")
    terminal.process.kill(number)
    terminal.shows(f"Stopped by {number.name} before anything was changed.")
    assert terminal.ends() == 1
    assert "Traceback" not in terminal.text


@pytest.mark.parametrize("term", TERMS)
def test_the_end_of_input_is_told(person: World, term: str) -> None:
    terminal = start(person, term)
    terminal.asked("What to back up")
    terminal.process.send("\x04")
    terminal.shows("The answers ended before setup had them all. Nothing was changed.")
    assert terminal.ends() == 2


def test_forty_columns_are_enough(person: World) -> None:
    terminal = start(person, "vt100", columns=40)
    up_to_vault(terminal, person)
    terminal.answer("Vault credentials file", str(person.root / "file.VaultCredentials"))
    terminal.answer("Name of this machine", "hr-db-02")
    terminal.answer("1 generate one", "<")
    terminal.asked("Name of this machine")
    broken = [line for line in terminal.lines if len(line) == 40 and " " in line and str(person.root)[:20] not in line]
    assert broken == []
    terminal.process.send("\x03")
    assert terminal.ends() == 1


def test_a_command_line_that_says_it_all_is_only_agreed_to(person: World) -> None:
    (person.root / "secret").write_text(PASSPHRASE)
    flags = [
        "--credentials",
        str(person.root / "file.VaultCredentials"),
        "--protect",
        str(person.source),
        "--name",
        "a",
    ]
    flags += ["--install-dir", str(person.root / "program"), "--cache-dir", str(person.root / "cache"), "--proxy", ""]
    terminal = start(person, "xterm-256color", *flags, "--passphrase-file", str(person.root / "secret"))
    terminal.answer("Set up this machine?")
    terminal.shows("backed up and restored", 60)
    assert terminal.ends() == 0


def test_where_the_portal_does_not_answer_it_is_said_before_anything_is_sent(person: World) -> None:
    document = {**person.peer.credential()}
    (person.root / "file.VaultCredentials").write_text(
        json.dumps(person.peer.authority.credential("https://127.0.0.1:1", vault=document["vault"]))
    )
    terminal = start(person, "xterm-256color")
    up_to_vault(terminal, person)
    terminal.answer("Vault credentials file", str(person.root / "file.VaultCredentials"))
    terminal.answer("Name of this machine", "a")
    terminal.answer("Mend what is wrong, then check again.")
    terminal.asked("Mend what is wrong, then check again.")
    assert terminal.text.count("Portal: Strongroom cannot be reached at 127.0.0.1:1: Connection refused.") == 2
    terminal.process.send("\x03")
    assert terminal.ends() == 1
