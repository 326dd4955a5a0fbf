"""Times as texts: exact for programs, short for people; always UTC.

The one place where the form of a date is decided. The agent has the same forms (`moments.for_people`).
"""

from datetime import UTC, datetime

DAY = "%-d %b %Y"


def rfc3339(moment: datetime) -> str:
    """`2026-11-22T17:40:00.123456Z`, with all six decimals."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def day(moment: datetime) -> str:
    """`22 Nov 2026`, in UTC."""
    return f"{moment.astimezone(UTC):{DAY}}"


def for_people(moment: datetime) -> str:
    """`22 Nov 2026, 17:40 UTC`: wherever people read a time."""
    return f"{moment.astimezone(UTC):{DAY}, %H:%M} UTC"


def exactly(moment: datetime) -> str:
    """`22 Nov 2026, 17:40:05 UTC`: for tooltips and details, where seconds count."""
    return f"{moment.astimezone(UTC):{DAY}, %H:%M:%S} UTC"
