"""What a step of the wizard is made of."""

from dataclasses import dataclass

from strongroom_agent.core.errors import AgentError, usage

from .asking import Lines, Question
from .draft import Draft


@dataclass(frozen=True)
class Step:
    """One of the wizard's steps, with two lines on what it is about."""

    number: int
    title: str
    about: str


class Change(Exception):
    """The person wants to change one answer."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Item:
    """A place in the wizard at which it may stop. `key` names the answer that it is for; empty where it is for none."""

    key = ""
    step: Step

    def applies(self, draft: Draft) -> bool:
        """Whether this is of any concern, with the answers so far."""
        return True

    def due(self, draft: Draft) -> bool:
        """Whether there is something to ask or to show."""
        return self.applies(draft) and self.key not in draft.answered

    def run(self, draft: Draft, lines: Lines) -> tuple[Draft, bool]:
        """Do it. What is known afterwards, and whether a person was asked."""
        raise NotImplementedError


class Field(Item):
    """One answer. A wrong one is said to be wrong, and asked for again; one that was given already is only checked."""

    label = ""

    def question(self, draft: Draft) -> Question:
        """What to ask, with the best default there is."""
        raise NotImplementedError

    def parsed(self, text: str) -> object:
        """The typed answer as the option has it."""
        return text

    def check(self, draft: Draft, value: object) -> Draft:
        """The draft with this answer taken. AgentError when it will not do."""
        return draft.taking(self.key, value)

    def shown(self, draft: Draft) -> str:
        """The answer in the summary."""
        return str(draft.value(self.key))

    def run(self, draft: Draft, lines: Lines) -> tuple[Draft, bool]:
        """Check what was given already; ask where there is nothing, or it will not do."""
        if self.key in draft.given:
            try:
                return self.check(draft, draft.value(self.key)), False
            except AgentError as error:
                lines.say(f"{self.label}: {self.shown(draft)}")
                lines.wrong(error)
        while True:
            try:
                return self.check(draft, self.parsed(self.ask(draft, lines))), True
            except AgentError as error:
                lines.wrong(error)

    def ask(self, draft: Draft, lines: Lines) -> str:
        """One answer, as it was typed."""
        return lines.ask(self.question(draft))


def required(text: str, what: str) -> str:
    """The text. AgentError when nothing was typed where something has to be."""
    if not text:
        raise usage("This is needed.", f"Type {what}.")
    return text
