"""Activity by day as bars, drawn by the server in one go: templates would take longer over it than over the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.audit.queries import Day
from portal.core.times import DAY

WIDTH, HEIGHT = 900, 56  # units of the drawing
GAP = 4


@dataclass(frozen=True)
class Chart:
    """The drawing, and what it says in words."""

    days: Sequence[Day]
    drawing: SafeString
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def most(self) -> Day:
        """The busiest day."""
        return max(self.days, key=lambda day: day.entries)

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
    most = max(day.entries for day in days)
    step = WIDTH / len(days)
    drawn = [_bar(day, round(number * step, 1), round(step - GAP, 1), most) for number, day in enumerate(days)]
    return format_html_join("\n", "{}", ((bar,) for bar in drawn))


def _bar(day: Day, x: float, width: float, most: int) -> SafeString:
    parts = [("ground", HEIGHT), ("all", _height(day.entries, most)), ("refused", _height(day.refused, most))]
    return format_html(
        "<g><title>{}: {} entries, {} refused</title>{}</g>",
        f"{day.day:{DAY}}",
        day.entries,
        day.refused,
        format_html_join(
            "",
            '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>',
            ((kind, x, round(HEIGHT - height, 1), width, height) for kind, height in parts if height),
        ),
    )


def _height(number: int, most: int) -> float:
    """In units of the drawing; anything at all is at least two high."""
    return max(2.0, round(HEIGHT * number / most, 1)) if number else 0.0
