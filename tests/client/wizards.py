"""People who answer the wizard's questions: as lines that are there already, or in a terminal."""

import os
import sys

import pytest
from strongroom_agent.setup.checks import SetupOptions
from strongroom_agent.setup.wizard import asking, wizard
from strongroom_agent.state.home import Home

from .terminal import Terminal
from .world import World


class Typing(asking.Lines):
    """A person at a terminal, whose lines are there already."""

    def __init__(self, *typed: str) -> None:
        super().__init__()
        self.interactive = True
        self._typed = list(typed)

    def read(self, question: asking.Question) -> str:
        """The next line."""
        self.say(f"({question.about})")
        if not self._typed:
            raise asking.Ended
        return self._typed.pop(0)


def ask(machine: World, *typed: str, given: SetupOptions | None = None, known: tuple[str, ...] = ()) -> SetupOptions:
    """What the wizard makes of these answers."""
    return wizard.gather(Home(machine.home), given or SetupOptions(), set(known), Typing(*typed))


def all_answers(machine: World, **other: str) -> list[str]:
    """Good answers to all questions, in their order, but for the `other` ones."""
    good = {
        "protect": str(machine.source),
        "install": str(machine.root / "program"),
        "cache": str(machine.root / "cache"),
    }
    good |= {"proxy": "", "credentials": str(machine.root / "file.VaultCredentials"), "name": "", "way": "", "save": ""}
    return list({**good, "agree": "", **other}.values())


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """What the wizard said, in one line."""
    return " ".join(capsys.readouterr().err.split())


def start(machine: World, term: str, *more: str, columns: int = 80, **environment: str) -> Terminal:
    """The wizard in a terminal of its own."""
    given = {"PATH": os.environ["PATH"], "HOME": str(machine.root / "person")}
    given |= {"STRONGROOM_AGENT_HOME": str(machine.home), "STRONGROOM_SETUP_NO_SCHEDULE": "yes"}
    given |= {"STRONGROOM_SETUP_NO_LINK": "yes", **environment}
    program = [sys.executable, "-X", "utf8", "-I", "-m", "strongroom_agent", "setup", *more]
    return Terminal(program, given, term, columns)


def up_to_vault(terminal: Terminal, machine: World) -> None:
    """Answer what comes before the vault."""
    terminal.answer("What to back up", str(machine.source))
    terminal.answer("Installation folder", str(machine.root / "program"))
    terminal.answer("Cache folder", str(machine.root / "cache"))
    terminal.answer("Proxy address")
