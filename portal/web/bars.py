"""Bars as a picture (SVG), drawn in one go: a template would take longer over it than over the rest of the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 900, 56  # units of the drawing; the style sheet says how large it is shown
GAP = 4
SHORTEST = 3  # a bar of anything at all
FULL = math.inf
"""The height of a part that fills its place, whatever the others have."""


@dataclass(frozen=True)
class Bar:
    """One bar: `title` is shown where it is pointed at.

    `parts` are classes of the style sheet with their heights, in whatever unit all bars share; each is drawn over the
    one before, and one of height 0 is not drawn.
    """

    title: str
    parts: tuple[tuple[str, float], ...]


def drawing(bars: Sequence[Bar], label: str, *, places: int = 0) -> SafeString:
    """The picture of the bars, the highest as high as there is room; `label` says in words what it shows.

    Where there are `places` for more bars than there are, they stand at the right.
    """
    places = max(places, len(bars))
    step = WIDTH / places
    most = max((height for bar in bars for _, height in bar.parts if height != FULL), default=0) or 1
    left = WIDTH - step * len(bars)
    return format_html(
        '<svg class="bars" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        WIDTH,
        HEIGHT,
        label,
        format_html_join(
            "\n", "{}", ((_drawn(bar, left + step * place, step, most),) for place, bar in enumerate(bars))
        ),
    )


def _drawn(bar: Bar, x: float, step: float, most: float) -> SafeString:
    heights = ((kind, _height(number / most)) for kind, number in bar.parts if number)
    return format_html(
        "<g><title>{}</title>{}</g>",
        bar.title,
        format_html_join(
            "",
            '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>',
            (
                (kind, round(x + GAP / 2, 1), round(HEIGHT - height, 1), round(step - GAP, 1), height)
                for kind, height in heights
            ),
        ),
    )


def _height(share: float) -> float:
    return max(float(SHORTEST), round(HEIGHT * min(share, 1.0), 1))
