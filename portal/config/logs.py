"""What the log leaves out: tracebacks of what is no mistake of the program, and most of what strangers send.

Logs are kept up to a size: whoever can cause lines without end, or long ones, pushes out what was there before.
"""

import logging
import threading
import time
from types import TracebackType

from portal.core.errors import DATABASE_AWAY

LONGEST = 120
"""Characters of a line that a stranger can cause."""
LONGEST_AWAY = 300
"""Characters of a line about a database that is away: its own words are the cause."""
LONGEST_TRACEBACK = 4000
"""Characters of a traceback that are kept, the last ones: they say where it happened."""
MOST_IN_A_MINUTE = 60
"""Lines about refusals in one process, and as many about a database that is away."""
MOST_MISTAKES = 20
"""Mistakes of ours in a minute of one process: a stranger who has found one can have it made again and again."""
MINUTE = 60
REFUSALS = ("django.request", "django.security", "agents.protocol.refusal_log")
"""Whose lines are about what people and programs sent, unless a mistake of ours is in them."""
AWAY = ("portal.web.middleware", "portal.api.app", "agents.views.gateway")
"""Who says that a request was not answered because the database is away."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
log = logging.getLogger(__name__)


class _Minute:
    """How many lines of a kind there have been within a minute, the clock's or one that began with the first."""

    def __init__(self, what: str, most: int = MOST_IN_A_MINUTE) -> None:
        self._what, self._most, self._lock = what, most, threading.Lock()
        self._since, self._lines = 0.0, 0

    def end(self, at: float) -> str:
        """What is to be said of lines that were left out, once the minute is over; empty when it is not, or of none."""
        with self._lock:
            if 0 <= at - self._since < MINUTE:  # not when the clock was put back
                return ""
            left_out, since = self._lines - self._most, self._since
            self._since, self._lines = at, 0
        began = time.strftime("%H:%M:%S", time.localtime(since))
        return f"{left_out} more lines about {self._what} were left out, from {began} on." if left_out > 0 else ""

    def takes_one_more(self) -> bool:
        """Count a line; whether it is written."""
        with self._lock:
            self._lines += 1
            return self._lines <= self._most


class Brief(logging.Filter):
    """One short line, and not too many, for what Django or an endpoint refuses, and for a database that is away.

    What is left out is told with the next line after the minute. A mistake of ours is written with its traceback, and
    no text that somebody sent can look like a line of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self._refusals, self._away = _Minute("what was refused"), _Minute("a database that is away")
        self._mistakes = _Minute("mistakes", MOST_MISTAKES)

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten a line of these kinds; False for one that is too many."""
        for minute in (self._refusals, self._away, self._mistakes):
            if left_out := minute.end(record.created):
                log.warning("%s", left_out)  # it comes by here, too, and passes
        if _is_away(record):
            _shorten(record, LONGEST_AWAY)
            return self._away.takes_one_more()
        if _is_refusal(record):
            _shorten(record, LONGEST)
            return self._refusals.takes_one_more()
        if record.exc_info and record.exc_info[1]:
            record.exc_text = _indented(record.exc_info)
            _spell_out(record)
            return self._mistakes.takes_one_more()
        return True


def _is_away(record: logging.LogRecord) -> bool:
    if record.exc_info is not None:
        return isinstance(record.exc_info[1], DATABASE_AWAY)
    return _is_of(record, AWAY)


def _is_refusal(record: logging.LogRecord) -> bool:
    """Django tells of what it refuses with the exception that made it do so; the status says whose mistake it was."""
    if not _is_of(record, REFUSALS):
        return False
    status = getattr(record, "status_code", 0)
    return not record.exc_info or 400 <= status < 500 or _is_of(record, ("django.security",))


def _is_of(record: logging.LogRecord, names: tuple[str, ...]) -> bool:
    return any(record.name == name or record.name.startswith(f"{name}.") for name in names)


def _shorten(record: logging.LogRecord, longest: int) -> None:
    record.exc_info = record.exc_text = None
    _spell_out(record, longest)


def _spell_out(record: logging.LogRecord, longest: int | None = None) -> None:
    record.msg, record.args = _printable(record.getMessage()[:longest]), None


def _indented(error: ExcInfo) -> str:
    """The traceback, each line of it set in, since the text of the error may be what somebody sent."""
    text = logging.Formatter().formatException(error)[-LONGEST_TRACEBACK:]
    return "\n".join(f"  {_printable(line)}" for line in text.split("\n"))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
