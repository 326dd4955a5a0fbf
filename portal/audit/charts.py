"""Activity by day as bars: positions and heights for a drawing that the server renders."""

from collections.abc import Sequence
from dataclasses import dataclass

from portal.audit.queries import Day

WIDTH, HEIGHT = 900, 56  # units of the drawing
GAP = 4


@dataclass(frozen=True)
class Bar:
    """One day: all entries, and the refusals among them at the foot."""

    day: Day
    x: float
    width: float
    height: float
    refused_height: float

    @property
    def y(self) -> float:
        """Drawings count from the top."""
        return round(HEIGHT - self.height, 1)

    @property
    def refused_y(self) -> float:
        """As `y`."""
        return round(HEIGHT - self.refused_height, 1)


@dataclass(frozen=True)
class Chart:
    """All bars, and what the drawing says in words."""

    bars: list[Bar]
    most: Day
    entries: int
    refused: int
    width: int = WIDTH
    height: int = HEIGHT


def bars(days: Sequence[Day]) -> Chart:
    """The drawing of at least one day. A day with anything at all is at least two units high."""
    most = max(days, key=lambda day: day.entries)
    step = WIDTH / len(days)
    drawn = [
        Bar(
            day=day,
            x=round(number * step, 1),
            width=round(step - GAP, 1),
            height=_height(day.entries, most.entries),
            refused_height=_height(day.refused, most.entries),
        )
        for number, day in enumerate(days)
    ]
    return Chart(drawn, most, sum(day.entries for day in days), sum(day.refused for day in days))


def _height(number: int, most: int) -> float:
    return max(2.0, round(HEIGHT * number / most, 1)) if number else 0.0
