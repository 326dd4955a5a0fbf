"""Times as the protocol writes them: RFC 3339 in UTC with microseconds."""

import re
from datetime import UTC, datetime

_FRACTION = re.compile(r"\.(\d+)")


def now() -> datetime:
    """The machine's clock, in UTC."""
    return datetime.now(UTC)


def parse(text: str) -> datetime:
    """The moment that an RFC 3339 text names, to the microsecond. ValueError for anything else."""
    moment = datetime.fromisoformat(_FRACTION.sub(_six_digits, text, count=1))
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    return moment.astimezone(UTC)


def parse_nanoseconds(text: str) -> int:
    """Nanoseconds since 1970 of a time as restic prints it (up to nine decimals)."""
    found = _FRACTION.search(text)
    fraction = found.group(1) if found else ""
    whole = datetime.fromisoformat(_FRACTION.sub("", text, count=1))
    return int(whole.timestamp()) * 10**9 + int(fraction.ljust(9, "0")[:9])


def render(moment: datetime) -> str:
    """A moment in the protocol's form."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def for_people(moment: datetime) -> str:
    """A moment as messages give it, to the minute."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _six_digits(found: re.Match[str]) -> str:
    return "." + found.group(1)[:6].ljust(6, "0")
