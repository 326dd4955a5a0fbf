"""The wizard with a one-time code, in real terminals and through a pipe, up to a machine that is restored."""

import pytest

from .cheap_key import PASSPHRASE
from .shown_code import CODE, PLAIN, root_of
from .terminal import Terminal
from .wizards import start, up_to_vault
from .world import World

pytestmark = pytest.mark.system


@pytest.fixture
def coded(person: World) -> World:
    """A machine without a file, and a portal that has shown CODE."""
    (person.root / "file.VaultCredentials").unlink()
    person.peer.codes[PLAIN] = b""
    return person


def up_to_name(terminal: Terminal, machine: World) -> None:
    """Answer what says which vault it is."""
    terminal.answer("Vault credentials file, or a one-time code", CODE.lower())
    terminal.answer("Address of Strongroom for machines", machine.peer.url)
    terminal.answer("SHA-256 of its root certificate", root_of(machine.peer.authority))
    terminal.answer("Identifier of the vault", machine.peer.vault["id"])


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_each_answer_wrong_once_and_one_gone_back_to(coded: World, term: str) -> None:
    coded.fill(3)
    terminal = start(coded, term)
    up_to_vault(terminal, coded)
    terminal.answer("Vault credentials file, or a one-time code", "7K3M-9QXT-2VFU")
    terminal.shows("This is not a one-time code: it has twelve letters and digits")
    terminal.answer("Vault credentials file, or a one-time code", CODE)
    terminal.answer("Address of Strongroom for machines", "http://x")
    terminal.shows("is not an https address without a path.")
    terminal.answer("Address of Strongroom for machines", coded.peer.url)
    terminal.answer("SHA-256 of its root certificate", "beef")
    terminal.shows("is not a SHA-256: 64 hexadecimal digits.")
    terminal.answer("SHA-256 of its root certificate", "0" * 64)
    terminal.answer("Identifier of the vault", "Payroll")
    terminal.shows("is not the identifier of a vault.")
    terminal.answer("Identifier of the vault", "<")
    terminal.answer("SHA-256 of its root certificate", "<")
    terminal.answer("Address of Strongroom for machines", "<")
    terminal.shows("Enter keeps the code that was typed")
    terminal.answer("Vault credentials file, or a one-time code")
    terminal.answer("Address of Strongroom for machines")
    terminal.answer("SHA-256 of its root certificate")
    terminal.answer("Identifier of the vault", coded.peer.vault["id"])
    terminal.answer("Name of this machine", "hr-db-02")
    # The portal is not the one with that digest: nothing was sent to it, and the answer can be changed.
    terminal.shows("it does not know the root certificate with that SHA-256")
    terminal.answer("Mend what is wrong, then check again.", "<")
    terminal.answer("Name of this machine", "<")
    terminal.answer("Identifier of the vault", "<")
    terminal.answer("SHA-256 of its root certificate", root_of(coded.peer.authority))
    terminal.answer("Identifier of the vault")
    terminal.answer("Name of this machine")
    terminal.answer("1 generate one", "2")
    terminal.answer("Your passphrase", PASSPHRASE)
    terminal.answer("The same once more", PASSPHRASE)
    assert coded.peer.requests.count(("POST", "redeem")) == 0
    terminal.answer("Set up this machine?")
    terminal.shows("backed up and restored", 60)
    assert terminal.ends() == 0
    assert coded.told == [("backup", "succeeded"), ("restore_check", "succeeded")]
    left = {path.name for path in coded.home.rglob("*")}
    assert not left & {"code.VaultCredentials", "code.json", "setup-answers.json"}


def test_the_code_is_not_kept_and_what_it_gave_is_gone_on_with(coded: World) -> None:
    coded.fill(3)
    coded.peer.faults.storage["local-a"] = 507
    terminal = start(coded, "xterm-256color", "--generate-passphrase")
    up_to_vault(terminal, coded)
    up_to_name(terminal, coded)
    terminal.answer("Name of this machine", "hr-db-02")
    terminal.answer("File to save the passphrase to", str(coded.root / "saved"))
    terminal.asked("Set up this machine?")
    kept = (coded.home / "setup-answers.json").read_text()
    assert coded.peer.url in kept
    assert not any(text in kept for text in (CODE, PLAIN, CODE.lower(), "code.VaultCredentials"))
    terminal.answer("Set up this machine?")
    assert terminal.ends(60) == 1
    coded.peer.faults.storage.clear()
    (coded.root / "saved").unlink()
    again = start(coded, "xterm-256color")
    again.answer("UTC? (yes or no)")
    again.answer("Vault credentials file, or a one-time code")  # what the code gave is the default
    again.answer("Set up this machine?")
    again.shows("backed up and restored", 60)
    assert again.ends() == 0
    assert coded.peer.requests.count(("POST", "redeem")) == 1
    assert len(coded.peer.machines) == 1


def test_a_code_that_the_portal_refuses_is_told_after_the_summary(coded: World) -> None:
    coded.fill(3)
    coded.peer.codes.clear()
    terminal = start(coded, "xterm-256color")
    up_to_vault(terminal, coded)
    up_to_name(terminal, coded)
    terminal.answer("Name of this machine", "hr-db-02")
    terminal.answer("1 generate one")
    terminal.answer("File to save the passphrase to", str(coded.root / "saved"))
    terminal.answer("Set up this machine?")
    assert terminal.ends(60) == 3
    again = start(coded, "xterm-256color")
    again.answer("UTC? (yes or no)")
    again.asked("Vault credentials file, or a one-time code")
    again.process.send("\x03")
    assert again.ends() == 1


def test_through_a_pipe(coded: World) -> None:
    coded.fill(3)
    answers = [str(coded.source), str(coded.root / "program"), str(coded.root / "cache"), ""]
    answers += [CODE, coded.peer.url, root_of(coded.peer.authority), coded.peer.vault["id"], "hr-db-02"]
    answers += ["1", str(coded.root / "saved"), ""]
    ran = coded.run("setup", "--no-schedule", "--no-link", typed="".join(f"{each}\n" for each in answers))
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert coded.told == [("backup", "succeeded"), ("restore_check", "succeeded")]


def test_the_pages_flags_leave_the_code_alone_to_be_asked_for(coded: World) -> None:
    coded.fill(3)
    line = ["--code", "-", "--edge", coded.peer.url, "--ca-sha256", root_of(coded.peer.authority)]
    terminal = start(coded, "xterm-256color", *line, "--vault", coded.peer.vault["id"])
    up_to_vault(terminal, coded)
    terminal.answer("Vault credentials file, or a one-time code", CODE)
    terminal.asked("Name of this machine")
    assert "Address of Strongroom" not in terminal.text
    terminal.process.send("\x03")
    assert terminal.ends() == 1
