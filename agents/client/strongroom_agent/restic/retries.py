"""Telling a person that restic waits for the storage: on its own it goes on for a quarter of an hour without a word."""

import math
import re
import time

from strongroom_agent.core import times
from strongroom_agent.core.output import progress

from .errors import plain

TELL_EVERY = 60.0
"""Seconds; the pauses between restic's tries become longer, up to about as long."""
_RETRYING = re.compile(r"retrying after [^:]*: (?:\w+ \"[^\"]*\": )?(.*)")


class Retries:
    """Takes what restic complains about, line by line."""

    def __init__(self) -> None:
        self._since = ""
        # Not 0: the monotonic clock may count from the start of the machine.
        self._told_at = self._last_sign_at = -math.inf

    def observe(self, line: str) -> None:
        """Say at the first retry, and every minute as long as there are more, since when and why."""
        found = _RETRYING.search(plain(line))
        if not found:
            return
        now = time.monotonic()
        if now > self._last_sign_at + 2 * TELL_EVERY:
            self._since, self._told_at = times.for_people(times.now()), -math.inf
        self._last_sign_at = now
        if now > self._told_at + TELL_EVERY:
            self._told_at = now
            progress(
                f"note: the storage has failed since {self._since}; still trying, for up to 15 minutes: {found[1]}"
            )
