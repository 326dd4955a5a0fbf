"""The geometry of small pictures on the pages about machines; the templates draw them as SVG, in these units."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.models import MachineCertificate, Run

WIDTH, HEIGHT = 600, 72
_GAP, _SHORTEST = 3.0, 4.0


@dataclass(frozen=True)
class Bar:
    """One run, at its place in the picture; as high as much data was protected, or as all of it for a failure."""

    run: Run
    x: float
    y: float
    width: float
    height: float

    @property
    def failed(self) -> bool:
        """Whether the run failed."""
        return self.run.outcome == Run.Outcome.FAILED


def bars(runs: Sequence[Run], *, places: int) -> list[Bar]:
    """Bars for `runs`, the oldest first, from the right edge of a picture that has room for `places`."""
    if not runs:
        return []
    step = WIDTH / places
    most = max(_size(run) for run in runs) or 1
    left = WIDTH - step * len(runs)
    drawn = []
    for place, run in enumerate(runs):
        full = run.outcome == Run.Outcome.FAILED
        height = HEIGHT if full else max(_SHORTEST, HEIGHT * _size(run) / most)
        x = left + step * place + _GAP / 2
        drawn.append(Bar(run, round(x, 2), round(HEIGHT - height, 2), round(step - _GAP, 2), round(height, 2)))
    return drawn


def per_cent_left(certificate: MachineCertificate, now: datetime) -> int:
    """How much of the certificate's life is left at `now`, from 0 to 100."""
    life = (certificate.not_after - certificate.not_before).total_seconds()
    left = (certificate.not_after - now).total_seconds()
    return round(100 * min(1.0, max(0.0, left / life))) if life > 0 else 0


def _size(run: Run) -> int:
    size = run.figures.get("bytes", 0)
    return size if isinstance(size, int) else 0
