"""How many passwords are looked at in one process at a time.

Argon2 takes a tenth of a second and 100 MiB, on purpose. A few at once use all processors; more would only take the
threads that pages and machines are answered with. So few look, few wait for a moment, and the others are told to come
back: at least half of the threads stay free, whatever comes to the sign-in.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from portal.errors import Unavailable

PATIENCE = 5.0
"""Seconds that somebody waits for a turn."""


class Busy(Unavailable):
    """Too many people are signing in at this moment. Nothing was looked at, nothing counts as a try."""

    retry_after = 5


class Admission:
    """At most `at_once` inside, and as many waiting."""

    def __init__(self, at_once: int) -> None:
        self._places = threading.BoundedSemaphore(2 * at_once)
        self._turns = threading.BoundedSemaphore(at_once)

    @contextmanager
    def __call__(self, patience: float = PATIENCE) -> Iterator[None]:
        """Have a turn; raises Busy when there is none, or none comes."""
        if not self._places.acquire(blocking=False):
            raise _busy()
        try:
            if not self._turns.acquire(timeout=patience):
                raise _busy()
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()


def _busy() -> Busy:
    return Busy("Too many people are signing in at the moment.", remedy="Try again in a few seconds.")


admission = Admission(settings.PASSWORDS_AT_ONCE)
