"""Reading notifications: who sees which, and what the area at the bottom of the page holds."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.utils import timezone

from portal.accounts.models import User
from portal.notifications.current import Current, Part, current_of
from portal.notifications.models import Notification

SHOWN = 4
"""Entries of each part in the list that the area opens."""
COUNTED = 50
"""Beyond these the area says `50+`."""
OFTEN, SELDOM = 1, 5
"""Seconds between two polls while something runs, and otherwise: a poll that finds nothing new costs little."""


COMPLETED = frozenset({Notification.State.SUCCEEDED, Notification.State.INFO})
"""Ended, and nobody has to do anything."""


@dataclass(frozen=True)
class Heading:
    """Entries of the list under one heading; `show` is the filter of the page that has all of them."""

    title: str
    show: str
    part: Part

    @property
    def entries(self) -> Sequence[Notification]:
        """Those that the list shows."""
        return self.part.entries

    @property
    def more(self) -> str:
        """How many there are beside those; empty for none."""
        others = self.part.number - len(self.entries)
        return "" if others <= 0 else f"{COUNTED}+" if self.part.number > COUNTED else str(others)


@dataclass(frozen=True)
class Area:
    """What the area shows now: a line, and the list that it opens."""

    current: Current

    @cached_property
    def parts(self) -> list[Heading]:
        """What the list has under each heading, without those that have nothing."""
        current = self.current
        parts = [
            Heading("Needs you", "needs", current.needs),
            Heading("Running", "running", current.running),
            Heading("Completed", "ended", current.ended),
        ]
        return [part for part in parts if part.entries]

    @cached_property
    def line(self) -> Notification | None:
        """What the line says: what runs, else what ended and was not seen yet, else the newest that needs them."""
        running, needs, ended = self.current.running.entries, self.current.needs.entries, self.current.ended.entries
        fresh = [entry for entry in ended[:1] if entry.updated_at > self.current.seen_until]
        return next(iter([*running, *fresh, *needs]), None)

    @property
    def summary(self) -> list[str]:
        """What there is beside the line, the most urgent first: `1 needs you`, `3 running`, `4 ended`."""
        running, needs, ended = self.current.running.number, self.current.needs.number, self.current.ended.number
        words = [
            f"{_count(needs)} need{'s' if needs == 1 else ''} you" if needs else "",
            f"{_count(running)} running" if running > 1 else "",
            f"{_count(ended)} ended" if ended else "",
        ]
        return [word for word in words if word]

    @property
    def leaves(self) -> datetime | None:
        """Up to when all counts as seen once the line has been on the screen for some seconds; None if it stays."""
        line = self.line
        return line.updated_at if line and line.state in COMPLETED else None

    @property
    def completed_until(self) -> datetime | None:
        """Up to when `Dismiss completed` dismisses: what the list shows, and what is older."""
        entries = self.current.ended.entries
        return entries[0].updated_at if entries else None

    @property
    def seconds(self) -> int:
        """How long until the page asks again: often while something runs."""
        return OFTEN if self.current.running.number else SELDOM

    @cached_property
    def tag(self) -> str:
        """The same as long as the area shows the same: these rows unchanged, so many of them, seen up to there."""
        current = self.current
        facts = [str(self.leaves)]
        for part in (current.running, current.needs, current.ended):
            facts += [str(part.number), *(f"{row.pk} {row.updated_at.isoformat()}" for row in part.entries)]
        return f'"{hashlib.sha256(" ".join(facts).encode()).hexdigest()[:32]}"'


def area_of(user: User) -> Area:
    """The area of the person, in two queries."""
    return Area(current_of(user, timezone.now(), most=SHOWN, counted=COUNTED + 1))


def _count(number: int) -> str:
    return f"{COUNTED}+" if number > COUNTED else str(number)
