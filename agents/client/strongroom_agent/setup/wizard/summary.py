"""The step *Summary*: all answers in one place, each to be changed by its number."""

from strongroom_agent.core.errors import AgentError, usage
from strongroom_agent.setup import checks

from .asking import Lines, Question
from .draft import Draft
from .steps import Change, Field, Item, Step

STEP = Step(
    6,
    "Summary",
    "Nothing has been changed on this machine or in the vault so far. "
    "What follows registers the machine, makes a first backup, restores it and compares.",
)


class Summary(Item):
    """Shows all answers, and ends when they are agreed to."""

    key, step = "summary", STEP

    def __init__(self, all_fields: tuple[Field, ...]) -> None:
        self._all = all_fields

    def run(self, draft: Draft, lines: Lines) -> tuple[Draft, bool]:
        """Go on at Enter; Change for a number."""
        shown = [each for each in self._all if each.applies(draft) and each.key in draft.answered]
        for number, each in enumerate(shown, 1):
            lines.say(f"{number:2} {each.label}: {each.shown(draft)}", "   ")
        while True:
            answer = lines.ask(Question("Set up this machine?", hint="Enter sets it up; a number changes that answer"))
            try:
                if answer:
                    raise Change(_field(shown, answer).key)
                checks.secrets_kept_out(draft.home, draft.options)
            except AgentError as error:
                lines.wrong(error)
                continue
            return draft, True


def _field(shown: list[Field], answer: str) -> Field:
    if not answer.isascii() or not answer.isdigit() or not 1 <= int(answer) <= len(shown):
        raise usage(f"There is no answer {answer!r}.", f"Press Enter, or type a number from 1 to {len(shown)}.")
    return shown[int(answer) - 1]
