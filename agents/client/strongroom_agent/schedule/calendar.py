"""When a backup is due: `daily HH:MM` or `weekly DAY[,DAY] HH:MM`, by the clock on the machine's wall.

HH:MM is the machine's local time, as in cron and in timers. On the day on which a clock goes forward, a time that there
is not that day comes an hour later; where it goes back, the first of the two counts.
"""

import re
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from strongroom_agent.core.errors import usage

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_NIGHT = 6 * 60  # minutes: from midnight to six
_LOCAL_TIME = Path("/etc/localtime")
HOW = "Give daily HH:MM, or weekly DAY[,DAY] HH:MM with days as in mon,thu; or off, or show."


@dataclass(frozen=True)
class Calendar:
    """On which days of the week, and when on these; `days` are 0 for Monday to 6, all seven of a daily one."""

    days: tuple[int, ...]
    hour: int
    minute: int

    @property
    def daily(self) -> bool:
        """Whether each day is one."""
        return len(self.days) == len(DAYS)

    @property
    def every_hours(self) -> int:
        """The longest time between two backups, in hours: what the portal is told."""
        following = [*self.days[1:], self.days[0] + len(DAYS)]
        return 24 * max(later - day for day, later in zip(self.days, following, strict=True))

    def __str__(self) -> str:
        """As it is given on the command line."""
        at = f"{self.hour:02}:{self.minute:02}"
        return f"daily {at}" if self.daily else f"weekly {','.join(DAYS[day] for day in self.days)} {at}"

    def before(self, now: datetime, zone: tzinfo) -> datetime:
        """The last moment, up to `now`, at which a backup was due; in UTC."""
        return max(moment for moment in self._around(now, zone) if moment <= now)

    def after(self, now: datetime, zone: tzinfo) -> datetime:
        """The next moment at which one is due."""
        return min(moment for moment in self._around(now, zone) if moment > now)

    def _around(self, now: datetime, zone: tzinfo) -> Iterator[datetime]:
        today = now.astimezone(zone).date()
        for day in (today + timedelta(days=number) for number in range(-8, 9)):
            if day.weekday() in self.days:
                yield self._on(day, zone)

    def _on(self, day: date, zone: tzinfo) -> datetime:
        """A time that is not there on that day is read with the offset from before the gap, and so comes after it."""
        return datetime.combine(day, time(self.hour, self.minute), zone).astimezone(UTC)


def parse(words: Sequence[str]) -> Calendar:
    """The calendar that these words of a command line mean. AgentError `usage` with what is wrong."""
    if not words or words[0] not in ("daily", "weekly"):
        raise usage(f"schedule: {' '.join(words) or 'nothing'} is no schedule.", HOW)
    kind, *rest = words
    wanted = 1 if kind == "daily" else 2
    if len(rest) != wanted:
        need = "one time" if kind == "daily" else "days and one time"
        raise usage(f"schedule: {kind} takes {need}, not {len(rest)} word{'' if len(rest) == 1 else 's'}.", HOW)
    days = tuple(range(len(DAYS))) if kind == "daily" else _days(rest[0])
    return Calendar(days, *_clock(rest[-1]))


def of_night() -> Calendar:
    """Daily, at a minute of the night that nobody has chosen: so two hundred machines do not come at the same time."""
    minute = secrets.randbelow(_NIGHT)
    return Calendar(tuple(range(len(DAYS))), *divmod(minute, 60))


def local_zone() -> tzinfo:
    """The machine's own time zone, whatever TZ of the calling shell says: timers and cron know no other."""
    if sys.platform == "win32":
        return datetime.now().astimezone().tzinfo or UTC
    try:
        with _LOCAL_TIME.open("rb") as file:
            return ZoneInfo.from_file(file, key=str(_LOCAL_TIME))
    except (OSError, ValueError):
        return UTC


def _days(text: str) -> tuple[int, ...]:
    return tuple(sorted({_day(word) for word in text.split(",")}))


def _day(word: str) -> int:
    """By the first three letters or the whole name, in English, in any case."""
    for number, name in enumerate(_NAMES):
        if word.lower() in (name, name[:3]):
            return number
    raise usage(f"schedule: {word!r} is no day of the week.", "Days are mon, tue, wed, thu, fri, sat, sun.")


def _clock(text: str) -> tuple[int, int]:
    found = _CLOCK.fullmatch(text)
    if not found:
        raise usage(
            f"schedule: {text!r} is no time of day.", "Give hours and minutes from 00:00 to 23:59, as in 02:30."
        )
    return int(found[1]), int(found[2])
