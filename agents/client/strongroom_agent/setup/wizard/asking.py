"""Questions, and asking them line by line: on any terminal, and where the answers come through a pipe."""

import getpass
import os
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import printable

BACK = "<"
_PLAIN = ("", "dumb", "unknown", "linux", "vt100")
"""Terminals whose fonts may lack more than ASCII."""
_WIDEST = 100


class Back(Exception):
    """The person wants to go to the question before."""


class Ended(Exception):
    """There is nobody to answer, or no line any more."""


@dataclass(frozen=True)
class Question:
    """One line to be answered. `check` raises AgentError for a wrong answer, fast enough to be run at each key."""

    label: str
    default: str = ""
    hint: str = ""  # what Enter does where there is no default
    secret: bool = False
    paths: bool = False
    check: Callable[[str], object] | None = None

    @property
    def about(self) -> str:
        """What a person has to know to answer: the default, and how to go back."""
        enter = f"Enter takes {printable(self.default)}" if self.default else self.hint
        return "; ".join(filter(None, (enter, f"{BACK} goes back")))


class Lines:
    """Asks on standard error, and reads lines from standard input."""

    def __init__(self) -> None:
        self.interactive = sys.stdin.isatty()
        simple = os.environ.get("TERM", "") in _PLAIN or (sys.stderr.encoding or "").lower() not in ("utf-8", "utf8")
        self.tick, self.cross = ("ok", "!!") if simple else ("✓", "✗")

    @property
    def width(self) -> int:
        """Columns to write in; of the terminal itself, not of what the shell says of it."""
        try:
            return max(20, min(os.get_terminal_size(sys.stderr.fileno()).columns or 80, _WIDEST))
        except (OSError, ValueError):
            return 80

    def say(self, text: str = "", indent: str = "") -> None:
        """Print a paragraph, wrapped at words; a path that is longer than a line stays in one piece."""
        for line in printable(text).split("\n"):
            wrapped = textwrap.wrap(
                line, self.width - 1, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            )
            print("\n".join(wrapped), file=sys.stderr, flush=True)

    def ask(self, question: Question) -> str:
        """The answer: what was typed, or the default. Back for `<`, Ended where no more lines come."""
        self.say()
        self.say(question.label)
        text = self.read(question)
        if not question.secret:
            text = text.strip()
        if text == BACK:
            raise Back
        return text or question.default

    def wrong(self, error: AgentError) -> None:
        """Say what is wrong with an answer. Remedies that name flags are for command lines."""
        remedy = "" if "--" in error.remedy else error.remedy
        self.say(f"{self.cross} {error.problem} {remedy}".rstrip(), "  ")

    def read(self, question: Question) -> str:
        """One line as it was typed."""
        self.say(f"({question.about})")
        print("> ", end="", file=sys.stderr, flush=True)
        if question.secret and self.interactive:
            return _hidden()
        line = sys.stdin.readline()
        if not self.interactive:
            print(file=sys.stderr, flush=True)
        if not line:
            raise Ended
        return line.removesuffix("\n").removesuffix("\r")


def _hidden() -> str:
    try:
        return getpass.getpass("", stream=sys.stderr)
    except EOFError:
        raise Ended from None


def asker() -> Lines:
    """The best that this terminal can do."""
    capable = os.environ.get("TERM", "") not in ("", "dumb", "unknown") or sys.platform == "win32"
    if capable and sys.stdin.isatty() and sys.stderr.isatty():
        from .terminal import Terminal

        return Terminal()
    return Lines()
