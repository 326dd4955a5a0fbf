"""The geometry of the picture of what a vault has stored; the template draws it as SVG, in these units."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from vaults.models import StoredDay

WIDTH, HEIGHT, TOP = 600, 120, 8


@dataclass(frozen=True)
class Curve:
    """A line over the days, and the area below it; `growth` is over the last seven days, None where it is unknown."""

    line: str
    area: str
    first: StoredDay
    last: StoredDay
    growth: int | None


def curve(days: Sequence[StoredDay], *, today: date, places: int) -> Curve | None:
    """The days, the oldest first, in a picture with room for `places` up to `today`; None for fewer than two days."""
    if len(days) < 2:
        return None
    most = max(day.size for day in days) or 1
    step, begins = WIDTH / (places - 1), today - timedelta(days=places - 1)
    points = [f"{(day.day - begins).days * step:.1f},{HEIGHT - (HEIGHT - TOP) * day.size / most:.1f}" for day in days]
    left, right = points[0].split(",")[0], points[-1].split(",")[0]
    last = days[-1]
    week_ago = [day for day in days if day.day <= last.day - timedelta(days=7)]
    growth = last.size - week_ago[-1].size if week_ago else None
    line = " ".join(points)
    return Curve(line, f"{left},{HEIGHT} {line} {right},{HEIGHT}", days[0], last, growth)
