"""The bench's table: what holds, what does not, and what is not compared."""

import pytest

from bench.table import Figure, Limit, Row, rendered


def row(ours: float, yardstick: float | None, limit: Limit | None) -> Row:
    """A row in seconds."""
    return Row("item", Figure(ours), None if yardstick is None else Figure(yardstick), limit, "10 rows")


@pytest.mark.parametrize(
    ("ours", "yardstick", "limit", "holds"),
    [
        (3.0, 2.0, Limit(1.5), True),
        (3.1, 2.0, Limit(1.5), False),
        (0.9, 1.0, Limit(0.9, least=True), True),
        (0.8, 1.0, Limit(0.9, least=True), False),
        (0.5, 0.001, Limit(0.5, unit="s"), True),
        (0.6, None, Limit(0.5, unit="s"), False),
        (9.9, 1.0, None, None),
    ],
)
def test_a_target_is_compared_with_the_ratio_or_with_the_figure_itself(
    ours: float, yardstick: float | None, limit: Limit | None, holds: bool | None
) -> None:
    assert row(ours, yardstick, limit).holds is holds


def test_a_target_on_a_ratio_without_a_yardstick_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="yardstick"):
        _ = row(1.0, None, Limit(1.5)).holds


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure(0.00123), "1.23 ms"),
        (Figure(1.5), "1.50 s"),
        (Figure(400 * 2**20, "B"), "400 MiB"),
        (Figure(1.5e6, "B/s", "restic"), "1.5 MB/s restic"),
        (Figure(0.17, "s/GB"), "0.170 s/GB"),
    ],
)
def test_figures_carry_their_unit(figure: Figure, text: str) -> None:
    assert str(figure) == text


def test_the_table_is_markdown_and_shouts_what_does_not_hold() -> None:
    rows = [row(3.0, 1.0, Limit(1.5)), Row("other", Figure(1.0), None, None, "", ("a note",))]
    lines = rendered(rows).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        "item", "3.00 s", "1.00 s", "3.00", "≤ 1.5 ×", "NO", "10 rows",
    ]  # fmt: skip
    assert lines[-1] == "other: a note"
