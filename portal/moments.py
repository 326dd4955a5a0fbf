"""Times as texts: exact for programs, short for people; always UTC."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """`2026-11-22T17:40:00.123456Z`, with all six decimals."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def for_people(moment: datetime) -> str:
    """`22 Nov 2026 17:40 UTC`."""
    return f"{moment.astimezone(UTC):%d %b %Y %H:%M} UTC"
