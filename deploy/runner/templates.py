"""Configuration files from templates: every `%{word}` is filled in."""

import os
import string
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent.parent


class _Percent(string.Template):
    delimiter = "%"


def fill(template: str, **words: object) -> str:
    """The template deploy/`template` with the words filled in; raises KeyError for one that is missing."""
    return _Percent((DEPLOY / template).read_text()).substitute(words)


def write_private(path: Path, text: str) -> None:
    """Write `path` (mode 0600) so that a reader finds the old text or the new one."""
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
