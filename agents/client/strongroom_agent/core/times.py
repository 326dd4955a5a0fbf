"""Times as the protocol writes them: RFC 3339 in UTC with microseconds."""

import re
from datetime import UTC, datetime

_FRACTION = re.compile(r"\.(\d+)")
_RFC3339 = re.compile(
    r"([+-]?\d+)-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d)(?::?(\d\d))?)"
)


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
    """Nanoseconds since 1970 of a time as restic prints it, also before year 1 and after 9999.

    Damaged file systems and cameras give such times. ValueError for what is no time.
    """
    found = _RFC3339.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no time")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    seconds = _days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    if found[8]:
        offset = int(found[9]) * 3600 + int(found[10]) * 60 + int(found[11] or 0)
        seconds -= offset if found[8] == "+" else -offset
    return seconds * 10**9 + int((found[7] or "").ljust(9, "0")[:9])


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar, for any year.

    Counted in eras of 400 years that begin in March, so that leap days come last.
    """
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468


def people(text: str) -> str:
    """A time as restic prints it, in UTC and to the second, as lists give it."""
    try:
        return _written(parse(text), "%H:%M:%S")
    except (ValueError, OverflowError):
        return text  # a clock that was far off: better shown as it is than not at all


def render(moment: datetime) -> str:
    """A moment in the protocol's form."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def for_people(moment: datetime) -> str:
    """A moment as messages give it, to the minute."""
    return _written(moment.astimezone(UTC), "%H:%M")


def _written(moment: datetime, clock: str) -> str:
    """The one form of the portal's pages: `22 Nov 2026, 17:40 UTC`."""
    return f"{moment.day} {moment.strftime(f'%b %Y, {clock} UTC')}"


def _six_digits(found: re.Match[str]) -> str:
    return "." + found.group(1)[:6].ljust(6, "0")
