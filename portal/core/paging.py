"""Keyset pages: the next page begins after the last row of this one, so deep pages cost what the first one does.

No counts and no offsets. Cursors are signed for their list: nobody makes one up, and one of another list is refused.
A cursor knows its direction, so that `after` takes that of the next page and that of the previous one alike.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from portal.core.errors import Invalid

Row = TypeVar("Row", bound=Model)
PAGE = 50
"""Rows on a page unless asked otherwise."""
MOST = 500
"""The most rows that anybody gets at once."""
COUNTED = 1_000
"""How far a list is counted."""
FORWARD, BACK = "after", "before"


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list; `next` and `previous` are the cursors of the pages beside it, None where there is none."""

    items: list[Row]
    next: str | None
    first: bool
    previous: str | None = None

    def __bool__(self) -> bool:
        return bool(self.items)

    @property
    def whole(self) -> bool:
        """Whether the page has all that the list has."""
        return self.first and self.next is None


@dataclass(frozen=True)
class Position:
    """Where a page begins, and which way it goes from there. It has no values at the first page."""

    order: Sequence[str]
    way: tuple[str, ...]
    """The order in which its rows are found: the opposite one where the page lies before the position."""
    values: tuple[Any, ...]
    signer: signing.Signer

    @property
    def back(self) -> bool:
        """Whether the page lies before the position."""
        return self.way != tuple(self.order)


def position_of(model: type[Model], *order: str, after: str = "") -> Position:
    """The position that the cursor `after` names (empty: the beginning); `order` as page_of() has it.

    Raises Invalid for a cursor that is not one of this list.
    """
    signer = signing.Signer(salt=f"page:{model._meta.label}:{','.join(order)}")
    direction, values = _read(model, order, signer, after) if after else (FORWARD, [])
    way = order if direction == FORWARD else tuple(_opposite(name) for name in order)
    return Position(order, way, tuple(values), signer)


def page_of(
    rows: QuerySet[Row] | Sequence[QuerySet[Row]],
    *order: str,
    after: str = "",
    limit: int = PAGE,
    full: QuerySet[Row] | None = None,
) -> Page[Row]:
    """The rows after the cursor `after` (empty: the first ones), at most `limit`.

    `order` names columns of the rows' own table that are never null, `-` in front for descending; together they must be
    unique and should have an index. Several `rows` have no row in common; each is asked on its own, and what they find
    is merged. With `full`, rows are found by their keys alone, in an index that has all that is asked about, and then
    read from `full`, which may join and annotate as it likes. One query for each of `rows`. Raises Invalid for a cursor
    that is not one of this list.
    """
    branches = [rows] if isinstance(rows, QuerySet) else list(rows)
    position = position_of(branches[0].model, *order, after=after)
    found = [list(from_position(branch, position.way, position.values, limit, full)) for branch in branches]
    return page_at(position, found, limit)


def from_position(
    rows: QuerySet[Row], way: Sequence[str], values: Sequence[Any], limit: int = PAGE, full: QuerySet[Row] | None = None
) -> QuerySet[Row]:
    """The question for a page's rows from the position with that way and these values, and for one more."""
    first = (rows.filter(_beyond(way, values)) if values else rows).order_by(*way)
    if full is None:
        return first[: limit + 1]
    return full.filter(pk__in=first.values("pk")[: limit + 1]).order_by(*way)


def page_at(position: Position, found: Sequence[list[Row]], limit: int = PAGE) -> Page[Row]:
    """The page of what from_position() has found, in one list or in several that have no row in common. No query."""
    items = _merged(found, position.way)
    more, items = len(items) > limit, items[:limit]
    if position.back:
        items.reverse()

    def cursor(wanted: str, row: Row) -> str:
        return position.signer.sign_object([wanted, *(_text(row, name) for name in position.order)])

    ahead, behind = (True, more) if position.back else (more, bool(position.values))
    return Page(
        items,
        next=cursor(FORWARD, items[-1]) if ahead and items else None,
        first=not behind,
        previous=cursor(BACK, items[0]) if behind and items else None,
    )


def counted(rows: QuerySet[Any] | Sequence[QuerySet[Any]], page: Page[Any] | None = None) -> str:
    """How many rows the list has: `286`, or `1,000+`. No query where the page has them all, and none beyond COUNTED."""
    if page is not None and page.whole:
        return f"{len(page.items):,}"
    branches = [rows] if isinstance(rows, QuerySet) else rows
    return as_counted(sum(branch.order_by().values("pk")[: COUNTED + 1].count() for branch in branches))


def as_counted(number: int) -> str:
    """How a number is told that was counted no further than to COUNTED + 1."""
    return f"{number:,}" if number <= COUNTED else f"{COUNTED:,}+"


def _merged(found: Sequence[list[Row]], order: Sequence[str]) -> list[Row]:
    """The rows of several lists in one order."""
    if len(found) == 1:
        return found[0]
    rows = [row for some in found for row in some]
    for name in reversed(order):  # sorting is stable, so that the first column is sorted by last
        column = name.removeprefix("-")
        rows.sort(key=lambda row: getattr(row, column), reverse=name.startswith("-"))  # used at once
    return rows


def _read(model: type[Model], order: Sequence[str], signer: signing.Signer, after: str) -> tuple[str, list[Any]]:
    columns = {field.name: getattr(field, "output_field", field) for field in model._meta.concrete_fields}
    try:
        direction, *texts = signer.unsign_object(after)
        if direction not in {FORWARD, BACK}:
            raise ValueError(direction)
        names: Iterable[tuple[str, Any]] = zip(order, texts, strict=True)
        return direction, [columns[name.removeprefix("-")].to_python(text) for name, text in names]
    except (signing.BadSignature, ValidationError, ValueError, TypeError) as error:
        raise Invalid({"after": ["This is not a cursor of this list. Begin at its first page."]}) from error


def _opposite(name: str) -> str:
    return name.removeprefix("-") if name.startswith("-") else f"-{name}"


def _beyond(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows after `values`. The first column is also bounded by itself, which lets the database walk the index."""
    (name, value), *rest = [(name, value) for name, value in zip(order, values, strict=True)]
    column, word = name.removeprefix("-"), "lt" if name.startswith("-") else "gt"
    past = Q((f"{column}__{word}", value))
    if not rest:
        return past
    names, remaining = zip(*rest, strict=True)
    return Q((f"{column}__{word}e", value)) & (past | _beyond(names, list(remaining)))


def _text(row: Model, name: str) -> str:
    value = getattr(row, name.removeprefix("-"))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
