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
    model = branches[0].model
    signer = signing.Signer(salt=f"page:{model._meta.label}:{','.join(order)}")
    direction, values = _read(model, order, signer, after) if after else (FORWARD, [])
    way = order if direction == FORWARD else tuple(_opposite(name) for name in order)
    if values:
        branches = [branch.filter(_beyond(way, values)) for branch in branches]
    items = _merged([_found(branch, way, limit + 1, full) for branch in branches], way)
    more, items = len(items) > limit, items[:limit]
    if direction == BACK:
        items.reverse()

    def cursor(wanted: str, row: Row) -> str:
        return signer.sign_object([wanted, *(_text(row, name) for name in order)])

    ahead, behind = (more, bool(after)) if direction == FORWARD else (True, more)
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
    number = sum(branch.order_by().values("pk")[: COUNTED + 1].count() for branch in branches)
    return f"{number:,}" if number <= COUNTED else f"{COUNTED:,}+"


def _found(rows: QuerySet[Row], order: Sequence[str], limit: int, full: QuerySet[Row] | None) -> list[Row]:
    first = rows.order_by(*order)
    if full is None:
        return list(first[:limit])
    return list(full.filter(pk__in=first.values("pk")[:limit]).order_by(*order))


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


def _beyond(order: Sequence[str], values: list[Any]) -> Q:
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
