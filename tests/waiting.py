"""Waiting for a condition, with a limit: tests never sleep for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def wait_for(what: str, condition: Callable[[], Result | None], *, seconds: float = 30, pause: float = 0.05) -> Result:
    """The first result of `condition` that is not None or False; fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        if result := condition():
            return result
        if time.monotonic() > end:
            raise AssertionError(f"After {seconds:.0f} s still waiting for: {what}")
        time.sleep(pause)
