"""Numbers beside the navigation's entries; apps add what counts them."""

from collections import defaultdict
from collections.abc import Callable

from portal.accounts.models import User
from portal.core.extensions import Extensions

Counter = Callable[[User, int], int]
"""Given a person and a limit: how much waits for them, counted no further than the limit."""
MOST = 99
counters: defaultdict[str, Extensions[Counter]] = defaultdict(Extensions)
"""By the name of the entry."""


def waiting_for(entry: str, person: User) -> str:
    """`3`, `99+`, or nothing when nothing waits or nobody counts."""
    number = sum(counter(person, MOST + 1) for counter in counters[entry])
    if number > MOST:
        return f"{MOST}+"
    return str(number) if number else ""
