"""Waiting for a condition, with a limit: tests never sleep for a fixed time."""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")


def wait_for(what: str, condition: Callable[[], Result | None], *, seconds: float = 60, pause: float = 0.05) -> Result:
    """The first result of `condition` that is not None or False; fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        if result := condition():
            return result
        if time.monotonic() > end:
            raise AssertionError(f"After {seconds:.0f} s still waiting for: {what}")
        time.sleep(pause)


def listens(path: Path) -> bool:
    """Whether somebody takes connections on the unix socket; its file is there a moment earlier."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
