"""Configuration files from templates: every `%{word}` is filled in."""

import string
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent.parent


class _Percent(string.Template):
    delimiter = "%"


def fill(template: str, **words: object) -> str:
    """The template deploy/`template` with the words filled in; raises KeyError for one that is missing."""
    return _Percent((DEPLOY / template).read_text()).substitute(words)
