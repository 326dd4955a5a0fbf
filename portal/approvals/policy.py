"""Who has to agree to a kind of request, in which order, and within which time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet

from portal.accounts.models import User

OPEN_FOR = timedelta(days=14)
"""How long a request waits for a decision before it expires."""


@dataclass(frozen=True)
class Stage:
    """A round of decisions: `approvals` of these people have to agree.

    `deciders` gives them for a request, unordered; the one who asked is taken out by the engine. `who` says in a
    sentence who they are, for somebody who is none of them.
    """

    deciders: Callable[[Any], QuerySet[User]]
    who: Callable[[Any], str]
    approvals: int = 1


@dataclass(frozen=True)
class Policy:
    """The stages, one after the other. A no in any of them ends the request."""

    stages: tuple[Stage, ...]
    open_for: timedelta = OPEN_FOR
