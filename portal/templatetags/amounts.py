"""Times and sizes as people read them."""

from datetime import UTC, datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.core.times import day, exactly, for_people

register = template.Library()
UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))
BINARY = ("KiB", "MiB", "GiB", "TiB", "PiB")
FAR = timedelta(days=30)  # from here on the date says more than the distance


@register.simple_tag
def ago(moment: datetime | None, never: str = "–") -> SafeString | str:
    """`3 minutes ago` or `in 2 days` with the exact time in a tooltip; `never` when there is no time."""
    return never if moment is None else _time(moment, distance(moment, timezone.now()))


@register.simple_tag
def exact(moment: datetime | None, never: str = "–") -> SafeString | str:
    """The date and the time of day in UTC; the seconds are in the tooltip."""
    return never if moment is None else _time(moment, for_people(moment))


@register.simple_tag
def clock(moment: datetime) -> SafeString:
    """The time of day in UTC with the date below it: for lists in which many entries are of one day."""
    utc = moment.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}<span class="sub">{}</span></time>',
        utc.isoformat(),
        exactly(utc),
        utc.strftime("%H:%M:%S"),
        day(utc),
    )


@register.simple_tag
def size(count: int | None, unknown: str = "–") -> str:
    """Bytes in binary units, with three significant digits: `1.46 GiB`."""
    return unknown if count is None else binary(count)


@register.simple_tag
def number(count: int) -> str:
    """With its thousands apart: `20,000`."""
    return f"{count:,}"


@register.simple_tag
def plural(count: int | str, noun: str, many: str = "") -> str:
    """`1 file`, `20,000 files`, `1,000+ vaults`; `many` is the plural where it is not the noun with an s."""
    text = number(count) if isinstance(count, int) else count
    return f"{text} {noun if text == '1' else many or f'{noun}s'}"


@register.simple_tag
def lasting(since: datetime, until: datetime | None = None) -> SafeString:
    """How long something took, or has been taking: then a script keeps it counting."""
    text = duration((until or timezone.now()) - since)
    if until is not None:
        return format_html("<span>{}</span>", text)
    return format_html('<span data-since="{}">{}</span>', since.isoformat(), text)


@register.simple_tag
def span(length: timedelta) -> str:
    """A time in the largest unit that fits, for what is no more exact than that: `day`, `7 days`, `hour`."""
    seconds = round(length.total_seconds())
    for unit, size_of_unit in UNITS:
        count = round(seconds / size_of_unit)
        if count:
            return unit if count == 1 else f"{count} {unit}s"
    return "minute"


def distance(moment: datetime, now: datetime) -> str:
    """How far `moment` is from `now`, in the largest unit that fits; the date beyond thirty days."""
    gap = abs(now - moment)
    if gap >= FAR:
        return day(moment)
    seconds = int(gap.total_seconds())
    for unit, length in UNITS:
        if seconds >= length:
            count = seconds // length
            amount = plural(count, unit)
            return f"{amount} ago" if moment <= now else f"in {amount}"
    return "just now" if moment <= now else "in less than a minute"


def duration(span: timedelta) -> str:
    """A short span: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    seconds = max(span.total_seconds(), 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def binary(number: int) -> str:
    """Bytes in binary units."""
    if number < 1024:
        return f"{number} B"
    value = float(number)
    for unit in BINARY:
        value /= 1024
        if value < 999.5 or unit == BINARY[-1]:
            return f"{value:.{_decimals(value)}f} {unit}"
    raise AssertionError("The last unit takes any number.")


def _decimals(value: float) -> int:
    """As many as make three significant digits, and never more than two."""
    return 2 if value < 9.995 else 1 if value < 99.95 else 0


def _time(moment: datetime, text: str) -> SafeString:
    """All of it is made in this module, so nothing in it needs escaping; a list has fifty."""
    utc = moment.astimezone(UTC)
    return SafeString(f'<time datetime="{utc.isoformat()}" title="{exactly(utc)}">{text}</time>')
