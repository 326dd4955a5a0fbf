"""The step *Installation settings*: what is backed up, where the program stays, and where it works."""

import os
from pathlib import Path

from strongroom_agent.setup import cache_folder, folders
from strongroom_agent.setup import protect as setup_protect

from . import defaults
from .asking import Question
from .draft import Draft
from .steps import Field, Step, required

STEP = Step(
    1,
    "Installation settings",
    "What is to be backed up, where the program stays, and its cache folder, in which it works. "
    "The cache folder must be on a local disk, with 5 % of the size of what is backed up free.",
)


class Protect(Field):
    """What to back up."""

    key, label, step = "protect", "What to back up", STEP

    def question(self, draft: Draft) -> Question:
        """Several paths in a line."""
        known = draft.options.protect or defaults.protect(draft)
        label = f"{self.label} (several with a comma between them)"
        return Question(label, ", ".join(known), paths=True, check=lambda text: setup_protect.choose(paths(text)))

    def parsed(self, text: str) -> object:
        """The single paths."""
        return paths(text)

    def check(self, draft: Draft, value: object) -> Draft:
        """They are there, can be read, and hold a file."""
        taken = draft.taking(self.key, setup_protect.choose(texts(value)).names)
        taken.extent()
        return taken

    def shown(self, draft: Draft) -> str:
        """In a line, as they were typed."""
        return ", ".join(draft.options.protect)


class InstallDir(Field):
    """Where the program is to stay."""

    key, label, step = "install_dir", "Installation folder", STEP

    def question(self, draft: Draft) -> Question:
        """A folder that may be made."""
        known = draft.options.install_dir or defaults.install_dir(draft)
        return Question(self.label, known, paths=True, check=_check_installation)

    def check(self, draft: Draft, value: object) -> Draft:
        """It can be written to, and by nobody else."""
        _check_installation(str(value))
        return draft.taking(self.key, defaults.full(str(value)))


class CacheDir(Field):
    """Where restic and restore checks work."""

    key, label, step = "cache_dir", "Cache folder", STEP

    def question(self, draft: Draft) -> Question:
        """A folder that may be made."""
        known = draft.options.cache_dir or defaults.cache_dir(draft)
        nothing = cache_folder.Extent(0, 0)
        extent = draft.extent() if "protect" in draft.answered else nothing
        return Question(
            self.label, known, paths=True, check=lambda text: cache_folder.check(Path(defaults.full(text)), extent)
        )

    def check(self, draft: Draft, value: object) -> Draft:
        """It is local, ours alone and large enough."""
        taken = draft.taking(self.key, defaults.full(required(str(value), "a folder")))
        cache_folder.check(Path(taken.options.cache_dir), taken.extent())
        return taken


def _check_installation(text: str) -> None:
    folders.check_installation(Path(defaults.full(required(text, "a folder"))))


def paths(text: str) -> list[str]:
    """The paths in a line; one that has a comma in it stands alone."""
    if os.path.lexists(os.path.expanduser(text)):
        return [text]
    return [each.strip() for each in text.split(",") if each.strip()]


def texts(value: object) -> list[str]:
    """A list of texts, which the option holds."""
    return [str(each) for each in value] if isinstance(value, list) else []


FIELDS: tuple[Field, ...] = (Protect(), InstallDir(), CacheDir())
