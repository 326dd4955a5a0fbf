"""Who has to agree to a kind of request, in which order and within which time, and how many one may have open."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from portal.accounts.models import User
from portal.core.errors import TooManyOpen

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


def require_few_open(person: User, open_requests: QuerySet[Any]) -> None:
    """Raise TooManyOpen when the person has as many open requests as one may have, `open_requests` among all people's.

    Call it in the transaction that adds one: the person's row is locked, so that of many at once no more get in.
    """
    User.objects.select_for_update(no_key=True).get(pk=person.pk)
    most = settings.OPEN_REQUESTS
    if open_requests.filter(requested_by=person)[:most].count() >= most:
        raise TooManyOpen(
            f"You have {most} open requests of this kind, the maximum.",
            remedy="Wait until some are decided, or cancel those you no longer need.",
        )
