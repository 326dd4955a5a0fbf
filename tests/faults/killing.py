"""A part of the portal that is killed while something else happens."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.portal_process import Portal

PATIENCE = 120  # seconds until all must have come to rest, restarts and back-offs included


@contextmanager
def killed_soon(portal: Portal, part: str, delay: float) -> Iterator[None]:
    """`kill -9` the part after so many seconds, beside what happens in the block; at its end it was killed."""

    def kill() -> None:
        time.sleep(delay)  # the random moment itself, not a wait for something
        portal.kill(part)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        killer.join()
