"""The audit log's picture of activity by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.utils.safestring import SafeString

from portal.audit.queries import Day
from portal.core.times import DAY
from portal.web.bars import FULL, Bar, drawing


@dataclass(frozen=True)
class Chart:
    """The drawing, and what it says in words."""

    days: Sequence[Day]
    drawing: SafeString

    @property
    def entries(self) -> int:
        """Those of all days."""
        return sum(day.entries for day in self.days)

    @property
    def refused(self) -> int:
        """The refusals of all days."""
        return sum(day.refused for day in self.days)


def bars(days: Sequence[Day]) -> Chart:
    """The drawing of at least one day: a bar for all entries, and at its foot the refusals among them."""
    return Chart(days, _drawing(tuple(days)))


@lru_cache(maxsize=2)  # its numbers change once in a minute, with those of today
def _drawing(days: tuple[Day, ...]) -> SafeString:
    entries, refused = sum(day.entries for day in days), sum(day.refused for day in days)
    most = max(days, key=lambda day: day.entries)
    label = (
        f"Entries on each of the last {len(days)} days: {entries} in all, {refused} of them refusals,"
        f" most on {most.day:{DAY}} with {most.entries}."
    )
    return drawing([_bar(day) for day in days], label)


def _bar(day: Day) -> Bar:
    title = f"{day.day:{DAY}}: {day.entries} entries, {day.refused} refused"
    return Bar(title, (("ground", FULL), ("all", day.entries), ("refused", day.refused)))
