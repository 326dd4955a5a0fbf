"""The table: what was measured, beside what, and whether the target holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.programs import Broken

HEADINGS = ("item", "Strongroom", "yardstick", "ratio", "target", "holds", "size")


@dataclass(frozen=True)
class Figure:
    """A measured number in seconds (`s`), bytes (`B`), bytes a second (`B/s`) or CPU seconds for a GB (`s/GB`)."""

    value: float
    unit: str = "s"
    of: str = ""  # what it was measured on, where the column alone does not say

    def __str__(self) -> str:
        return f"{self._number()} {self.of}".strip()

    def _number(self) -> str:
        if self.unit == "s":
            return f"{self.value * 1000:.2f} ms" if self.value < 1 else f"{self.value:.2f} s"
        if self.unit == "B":
            return f"{self.value / 2**20:.0f} MiB"
        if self.unit == "B/s":
            return f"{self.value / 1e6:.1f} MB/s"
        return f"{self.value:.3f} {self.unit}"


@dataclass(frozen=True)
class Limit:
    """A target: the ratio, or the figure itself, is at most or at least `bound`."""

    bound: float
    least: bool = False
    unit: str = "×"  # of the ratio; otherwise the unit of the figure

    def __str__(self) -> str:
        bound = str(Figure(self.bound, self.unit)) if self.unit != "×" else f"{self.bound:g} ×"
        return f"{'≥' if self.least else '≤'} {bound}"

    def holds(self, number: float) -> bool:
        """Whether `number` keeps the target."""
        return number >= self.bound if self.least else number <= self.bound


@dataclass(frozen=True)
class Row:
    """One line: medians, the yardstick of the same run, the target (None: told for information), and the size."""

    item: str
    ours: Figure
    yardstick: Figure | None
    limit: Limit | None
    size: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """A yardstick of nothing means that the measuring went wrong; raises Broken, so that its item is told."""
        if self.yardstick and not self.yardstick.value > 0:
            raise Broken(f"{self.item}: the yardstick came out as {self.yardstick}")

    @property
    def ratio(self) -> float | None:
        """Ours to the yardstick; None without one."""
        return self.ours.value / self.yardstick.value if self.yardstick else None

    @property
    def holds(self) -> bool | None:
        """Whether the target is kept; None where there is no target."""
        if self.limit is None:
            return None
        if self.limit.unit != "×":
            return self.limit.holds(self.ours.value)
        if self.ratio is None:
            raise ValueError(f"{self.item}: a target on the ratio needs a yardstick")
        return self.limit.holds(self.ratio)

    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of HEADINGS."""
        return (
            self.item,
            str(self.ours),
            str(self.yardstick) if self.yardstick else "–",
            f"{self.ratio:.2f}" if self.ratio is not None else "–",
            str(self.limit) if self.limit else "–",
            {True: "yes", False: "NO", None: "–"}[self.holds],
            self.size,
        )


def rendered(rows: Sequence[Row]) -> str:
    """The table as Markdown, then the notes of its rows."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    notes = [f"{row.item}: {note}" for row in rows for note in row.notes]
    return "\n".join([*text, *([""] if notes else []), *notes])
