"""Admission: how many may do a thing that takes long at the same time, in one process.

Few at once, few who wait for a moment; the others are told to come back, so that they do not take the threads that
everybody else is answered with.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from portal.core.errors import Unavailable

PATIENCE = 5.0
"""Seconds that somebody waits for a turn."""


class Busy(Unavailable):
    """Too many do the same at this moment. Nothing was done."""

    retry_after = 5


class Admission:
    """At most `at_once` inside, and as many waiting unless told otherwise; `busy` is what the others are told."""

    def __init__(self, at_once: int, busy: str, *, waiting: int = 0) -> None:
        self._places = threading.BoundedSemaphore(at_once + (waiting or at_once))
        self._turns = threading.BoundedSemaphore(at_once)
        self._busy = busy

    @contextmanager
    def __call__(self, patience: float | None = None) -> Iterator[None]:
        """Have a turn, after `patience` seconds (PATIENCE) at most; raises Busy when there is none, or none comes."""
        if not self._places.acquire(blocking=False):
            raise self._no_turn()
        try:
            if not self._turns.acquire(timeout=PATIENCE if patience is None else patience):
                raise self._no_turn()
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()

    def _no_turn(self) -> Busy:
        return Busy(self._busy, remedy="Try again in a few seconds.")
