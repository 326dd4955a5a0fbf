"""The step *Encryption setting*: the passphrase that encrypts the backups."""

from pathlib import Path

from strongroom_agent.core.errors import AgentError, usage
from strongroom_agent.setup import checks
from strongroom_agent.setup import passphrase as setup_passphrase
from strongroom_agent.state import passphrase

from . import defaults
from .asking import Lines, Question
from .draft import GENERATE, IN_FILE, TYPED, Draft
from .steps import Field, Step, required

STEP = Step(
    5,
    "Encryption setting",
    "Backups are encrypted on this machine with a passphrase that never leaves it. Without the passphrase nobody can "
    "recover the data, not even the administrators of Strongroom: keep a copy off this machine.",
)
_WAYS = {"1": GENERATE, "2": TYPED, "3": IN_FILE}
_SAID = {GENERATE: "generated", TYPED: "your own, typed", IN_FILE: "in a file"}


class Way(Field):
    """Where the passphrase comes from."""

    key, label, step = "way", "Passphrase", STEP

    def question(self, draft: Draft) -> Question:
        """By number, so that it works on every terminal."""
        generate = (
            "use the one this machine has, and save a copy" if _used(draft) else "generate one, and save it to a file"
        )
        label = f"{self.label}\n  1 {generate}\n  2 type one of your own\n  3 take the one in a file"
        return Question(label, _number(draft.way) or ("2" if _replaces(draft) else "1"), check=_chosen)

    def parsed(self, text: str) -> object:
        """The way with this number."""
        return _chosen(text)

    def check(self, draft: Draft, value: object) -> Draft:
        """Old backups open with their own passphrase alone. With another way, what was answered about this one goes."""
        if _replaces(draft) and draft.before is None:
            setup_passphrase.require_given(draft.credential.machine["name"], given=value != GENERATE)
        taken = draft.taking(self.key, value)
        if value != draft.way:
            others = {GENERATE: ("passphrase", "passphrase_file"), TYPED: ("passphrase_file", "save_passphrase_to")}
            taken = taken.without(*others.get(str(value), ("passphrase", "save_passphrase_to")))
        return taken

    def shown(self, draft: Draft) -> str:
        """In words."""
        return _SAID.get(draft.way, "")


class SaveTo(Field):
    """The file that a generated passphrase is saved to."""

    key, label, step = "save_passphrase_to", "File to save the passphrase to", STEP

    def applies(self, draft: Draft) -> bool:
        """Only of a generated one."""
        return draft.way == GENERATE

    def question(self, draft: Draft) -> Question:
        """A new file outside of what is backed up."""
        known = draft.options.save_passphrase_to or defaults.save_passphrase_to(draft)
        return Question(
            f"{self.label} (copy it off this machine afterwards)",
            known,
            paths=True,
            hint="a new file",
            check=lambda text: self.check(draft, text),
        )

    def check(self, draft: Draft, value: object) -> Draft:
        """New, writable, and not locked into the backups that it opens."""
        taken = draft.taking(self.key, defaults.full(required(str(value), "the name of a new file")))
        checks.passphrase_target(draft.home, taken.options)
        return taken


class Typed(Field):
    """A passphrase of one's own: typed twice, shown never, kept for no later start."""

    key, label, step = "passphrase", "Your passphrase", STEP

    def applies(self, draft: Draft) -> bool:
        """Only where it is to be typed."""
        return draft.way == TYPED

    def question(self, draft: Draft) -> Question:
        """Checked while it is typed."""
        label = f"{self.label} (at least {passphrase.MINIMUM} printable ASCII characters; not shown)"
        return Question(label, hint="type it", secret=True, check=passphrase.check)

    def ask(self, draft: Draft, lines: Lines) -> str:
        """Twice: a slip would lock the backups for ever."""
        first = passphrase.check(lines.ask(self.question(draft)))
        if lines.ask(Question("The same once more", hint="type it again", secret=True)) != first:
            raise usage("These two were not the same.", "Type it again.")
        return first

    def check(self, draft: Draft, value: object) -> Draft:
        """Not another one than what is there opens with."""
        setup_passphrase.check_provided(draft.home, passphrase.check(str(value)), draft.before)
        return draft.taking(self.key, value)

    def shown(self, draft: Draft) -> str:
        """That there is one."""
        return "typed, not shown"


class InFile(Field):
    """The file with the passphrase."""

    key, label, step = "passphrase_file", "File with the passphrase", STEP

    def applies(self, draft: Draft) -> bool:
        """Only where it is in one."""
        return draft.way == IN_FILE

    def question(self, draft: Draft) -> Question:
        """Read while its name is typed."""
        known = draft.options.passphrase_file or ""
        return Question(self.label, known, paths=True, hint="its path", check=lambda text: self.check(draft, text))

    def check(self, draft: Draft, value: object) -> Draft:
        """A good one, outside of what is backed up."""
        taken = draft.taking(self.key, defaults.full(required(str(value), "the path of the file")))
        given = setup_passphrase.read(Path(taken.options.passphrase_file or ""), replaces=_replaces(draft))
        setup_passphrase.check_provided(draft.home, given, draft.before)
        checks.secrets_kept_out(draft.home, taken.options)
        return taken


def _chosen(text: str) -> str:
    if text not in _WAYS:
        raise usage(f"There is no {text!r} to choose.", "Type 1, 2 or 3.")
    return _WAYS[text]


def _number(way: str) -> str:
    return next((number for number, each in _WAYS.items() if each == way), "")


def _replaces(draft: Draft) -> bool:
    try:
        return draft.credential.replaces
    except AgentError:
        return False


def _used(draft: Draft) -> bool:
    """Whether a passphrase of this machine is in use already; a damaged one is none that could be used."""
    try:
        return draft.before is not None and passphrase.stored(draft.home) is not None
    except AgentError:
        return False


FIELDS: tuple[Field, ...] = (Way(), SaveTo(), Typed(), InFile())
