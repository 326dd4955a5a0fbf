"""What the log leaves out: tracebacks of what is no mistake of the program, and most of what strangers send."""

import logging

from portal.core.errors import DATABASE_AWAY

LONGEST = 300  # characters of a line that a stranger can cause


class Brief(logging.Filter):
    """One short line for a request that Django refuses (a wrong host, say), and for a database that is away."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record, shortened where strangers could otherwise roll the log over."""
        refused = record.name.startswith("django.request") and not record.exc_info
        if refused or record.name.startswith("django.security") or _is_away(record):
            record.exc_info = record.exc_text = None
            record.msg, record.args = _one_line(record.getMessage()), None
        return True


def _is_away(record: logging.LogRecord) -> bool:
    return record.exc_info is not None and isinstance(record.exc_info[1], DATABASE_AWAY)


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:LONGEST])
