"""Search over the whole site; apps add where to look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.db.models import Model

from portal.accounts.models import User
from portal.core.extensions import Extensions
from portal.core.texts import without_hidden

MOST = 20
"""Hits of each kind."""
LONGEST = 80
FEWEST_LETTERS = 2
SUGGESTED = 8
"""Suggestions in all; they begin with two letters."""


@dataclass(frozen=True)
class Hit:
    """Something found: `about` says where it belongs, `row` has the state that is shown."""

    title: str
    about: str
    url: str
    row: Model


@dataclass(frozen=True)
class ResultGroup:
    """What was found of one kind; `more` when there is more than is shown."""

    kind: str
    hits: Sequence[Hit] = field(default_factory=list)
    more: bool = False


Provider = Callable[[User, str, int], Sequence[ResultGroup]]
"""Given who asks, the text and the most hits of each kind: what that person may see, in a fixed number of queries."""
providers: Extensions[Provider] = Extensions()


def search(user: User, text: str, most: int = MOST) -> list[ResultGroup]:
    """What the person may see and whose name has `text` in it, kind by kind; nothing for an empty text."""
    text = without_hidden(text)[:LONGEST]
    if not text:
        return []
    return [found for provider in providers for found in provider(user, text, most) if found.hits]


def suggest(user: User, text: str) -> list[Hit]:
    """The first hits of a search while its text is typed, a few of each kind."""
    text = without_hidden(text)
    if len(text) < FEWEST_LETTERS:
        return []
    found = search(user, text, SUGGESTED)
    each = max(2, SUGGESTED // len(found)) if found else 0
    return [hit for kind in found for hit in kind.hits[:each]][:SUGGESTED]
