"""Decisions that wait for somebody: who can take one, and which the page Requests shows beside requests for vaults.

Apps add what waits of their kinds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from portal.accounts.models import User
from portal.core.extensions import Extensions

MOST = 20
"""Shown of each kind."""
NAMED = 5
"""People named of those who can decide."""


@dataclass(frozen=True)
class Waiting:
    """Something to decide on, at `url`: `about` says where it belongs."""

    id: UUID
    title: str
    about: str
    url: str
    asked_by: User
    asked_at: datetime


@dataclass(frozen=True)
class Queue:
    """What waits of one kind, the longest first; `more` when there is more than is shown."""

    heading: str
    items: Sequence[Waiting]
    more: bool = False


Provider = Callable[[User, int], Queue]
"""Given who looks and the most to show: what waits and that person may see, in a fixed number of queries."""
providers: Extensions[Provider] = Extensions()


def queues(user: User) -> list[Queue]:
    """What waits and the person may see, kind by kind."""
    return [queue for provider in providers if (queue := provider(user, MOST)).items]


def named(deciders: QuerySet[User]) -> dict[str, object]:
    """The first few of those who can decide, as `templates/requests/deciders.html` takes them."""
    people = list(deciders[: NAMED + 1])
    return {"deciders": people[:NAMED], "deciders_more": len(people) > NAMED}
