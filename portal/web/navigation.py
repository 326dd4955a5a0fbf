"""Numbers beside the navigation's entries. Apps tell them in `NAVIGATION_COUNTERS`, so that the site imports none."""

from collections.abc import Callable

from django.conf import settings
from django.utils.module_loading import import_string

from portal.accounts.models import User

Counter = Callable[[User, int], int]
"""Given a person and a limit: how much waits for them, counted no further than the limit."""
MOST = 99


def waiting_for(entry: str, person: User) -> str:
    """`3`, `99+`, or nothing when nothing waits or nobody counts."""
    counters: list[Counter] = [import_string(path) for path in settings.NAVIGATION_COUNTERS.get(entry, ())]
    number = sum(counter(person, MOST + 1) for counter in counters)
    if number > MOST:
        return f"{MOST}+"
    return str(number) if number else ""
