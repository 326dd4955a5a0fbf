"""Slots: how many of the worker's threads slow work may take, so that other work always finds a free one.

Celery has one pool for each process, and a second process for bulk work would cost 60 MB. A task that finds no free
slot ends at once: what it is about is a row that is due, or beat sends it again, so nothing is lost but time.
"""

import logging
import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

log = logging.getLogger(__name__)
THREADS = 7  # of a worker; they are made when they are needed
Arguments = ParamSpec("Arguments")


class Slots:
    """So many tasks of a kind at once in this process."""

    def __init__(self, kind: str, most: int) -> None:
        self._kind = kind
        self._free = threading.BoundedSemaphore(most)

    def __call__(self, task: Callable[Arguments, None]) -> Callable[Arguments, None]:
        """The task, which does nothing while no slot is free."""

        @wraps(task)
        def within(*arguments: Arguments.args, **named: Arguments.kwargs) -> None:
            if not self._free.acquire(blocking=False):
                log.debug("No slot is free for %s: %s waits.", self._kind, task.__name__)
                return
            try:
                task(*arguments, **named)
            finally:
                self._free.release()

        return within


BULK = Slots("copying and comparing", 3)
MEASURING = Slots("measuring", 1)
PROBING = Slots("probing", 1)
"""Together they leave two threads to operations, the sweep and signs of life."""
