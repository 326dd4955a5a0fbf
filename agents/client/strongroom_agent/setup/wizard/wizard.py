"""The wizard: goes through the steps, back where a person wants to, and on where an earlier start was interrupted."""

from collections.abc import Collection
from dataclasses import fields, replace

from strongroom_agent.core.errors import AgentError, usage
from strongroom_agent.core.times import for_people
from strongroom_agent.portal import enrolment_code
from strongroom_agent.setup import kept_answers
from strongroom_agent.setup.checks import SetupOptions
from strongroom_agent.setup.kept_answers import Kept
from strongroom_agent.state.home import Home

from . import encryption, identification, installation, proxy
from .asking import Back, Ended, Lines, Question, asker
from .draft import GENERATE, IN_FILE, Draft
from .prerequisites import Prerequisites
from .steps import Change, Field, Item, Step
from .summary import Summary

FIELDS: tuple[Field, ...] = (*installation.FIELDS, *proxy.FIELDS, *identification.FIELDS, *encryption.FIELDS)
ITEMS: tuple[Item, ...] = (
    *installation.FIELDS,
    *proxy.FIELDS,
    Prerequisites(),
    *identification.FIELDS,
    Prerequisites(),
    *encryption.FIELDS,
    Summary(FIELDS),
)
FINISH = Step(7, "Finish", "The machine is set up now. This takes as long as a first backup and its restore take.")
_HOW_TO_GO_ON = "Run strongroom-agent setup again in a terminal"


def gather(home: Home, options: SetupOptions, given: Collection[str], lines: Lines | None = None) -> SetupOptions:
    """Ask for what is missing. `given` names what is not: it is checked, and asked about only where it will not do.

    AgentError `usage` when the answers end before they are complete, `interrupted` when somebody stops it: then nothing
    was changed.
    """
    _wait_for_nobody(home)
    lines = lines or asker()
    wizard = Wizard(lines, _begin(home, options, given))
    try:
        return wizard.run()
    except Ended:
        lines.say()
        goes_on = " to go on with what you entered" if wizard.keeps else ""
        raise usage(
            "The answers ended before setup had them all. Nothing was changed.",
            f"{_HOW_TO_GO_ON}{goes_on}, or give the missing answers as flags, in the environment or with --answers "
            "FILE; see strongroom-agent setup --help.",
        ) from None
    except KeyboardInterrupt as stopped:
        lines.say()
        by = f" by {stopped}" if str(stopped) else ""
        goes_on = " to go on with what you entered" if wizard.keeps else ""
        raise AgentError(
            "interrupted", f"Stopped{by} before anything was changed.", f"{_HOW_TO_GO_ON}{goes_on}."
        ) from None


class Wizard:
    """One pass through the steps."""

    def __init__(self, lines: Lines, draft: Draft) -> None:
        self._lines, self._draft = lines, draft
        self._asked: list[int] = []  # where somebody has answered, to go back to
        self._shown: Step | None = None
        self._kept = False

    @property
    def keeps(self) -> bool:
        """Whether what was answered is there for a later start."""
        return self._kept

    def run(self) -> SetupOptions:
        """From the first question to the agreement to the summary."""
        self._lines.say(
            "Set up this machine: 7 steps, each with its defaults. "
            "Enter takes a default, < and Enter goes back, Ctrl-C stops; nothing is changed before the summary."
        )
        self._go_on()
        position = 0
        while position < len(ITEMS):
            position = self._at(position)
        self._title(FINISH)
        return self._draft.options

    def _at(self, position: int) -> int:
        """Do what is to be done at one place. Where to go from there."""
        item = ITEMS[position]
        if not item.due(self._draft):
            return position + 1
        if item.key not in self._draft.given:
            self._title(item.step)
        try:
            self._draft, asked = item.run(self._draft, self._lines)
        except Back:
            return self._back(position)
        except Change as wanted:
            self._draft, self._shown = self._draft.open(wanted.key), None
            return next(place for place, each in enumerate(ITEMS) if each.key == wanted.key)
        if asked:
            self._asked.append(position)
            self._keep()
        return position + 1

    def _back(self, position: int) -> int:
        """To the question before that is still of any concern."""
        while self._asked:
            before = self._asked.pop()
            if before != position and ITEMS[before].applies(self._draft):
                self._draft, self._shown = self._draft.open(ITEMS[before].key), None
                return before
        self._lines.say("This is the first question; there is nothing to go back to.")
        return position

    def _title(self, step: Step) -> None:
        if step is not self._shown:
            self._shown = step
            self._lines.say(f"\n{step.number}/{FINISH.number} {step.title}")
            self._lines.say(step.about)

    def _keep(self) -> None:
        """After each answer, so that nothing that ends the program takes more than the one that is being typed."""
        if self._lines.interactive:
            known = self._draft.answered | self._draft.given
            kept_answers.save(self._draft.home, self._draft.options, known, self._draft.way)
            self._kept = True

    def _go_on(self) -> None:
        """Offer what an earlier start was told. What was given this time counts before that."""
        kept = kept_answers.load(self._draft.home) if self._lines.interactive else None
        if kept is None:
            return
        question = Question(f"Go on with what you entered on {for_people(kept.at)}? (yes or no)", "yes", check=_yes)
        while True:
            try:
                wanted = _yes(self._lines.ask(question))
            except AgentError as error:
                self._lines.wrong(error)
            except Back:
                self._lines.say("This is the first question; there is nothing to go back to.")
            else:
                break
        if wanted:
            self._draft, self._kept = _joined(self._draft, kept), True
        else:
            kept_answers.forget(self._draft.home)


def _begin(home: Home, options: SetupOptions, given: Collection[str]) -> Draft:
    """What is known at the start."""
    known = {each.name for each in fields(SetupOptions)} & set(given)
    if "proxy_password_file" in given:
        known |= {"proxy_password"}
    if options.code:
        known = known | {"credentials"} if options.code != enrolment_code.ASKED else known - {"credentials"}
    if options.code == enrolment_code.ASKED:
        options = replace(options, code="", credentials="")
    way = GENERATE if {"generate_passphrase", "save_passphrase_to"} & set(given) else ""
    way = IN_FILE if "passphrase_file" in given else way
    return Draft(home, options, frozenset(known | ({"way"} if way else set())), way=way)


def _joined(draft: Draft, kept: Kept) -> Draft:
    """Answers of an earlier start where there is none of this one; what belongs together comes from one of the two."""
    left = set(kept.answered) - draft.given
    if "proxy" in draft.given:
        left -= {"proxy_user"}
    if draft.by_code:
        left -= {"credentials"}
    if draft.way and draft.way != kept.way:
        left -= {"passphrase_file", "save_passphrase_to"}
    for key in left:
        draft = draft.preset(key, getattr(kept.options, key))
    return draft if draft.way or not kept.way else draft.preset("way", kept.way)


def _yes(text: str) -> bool:
    answer = text.strip().casefold()
    if answer not in ("y", "yes", "n", "no"):
        raise usage(f"{text!r} is neither yes nor no.", "Type yes or no.")
    return answer.startswith("y")


def _wait_for_nobody(home: Home) -> None:
    """AgentError `busy` at once, rather than after all answers; `home_unusable` where others write to it."""
    home.require_own()
    if home.in_use():
        with home.locked():
            return
