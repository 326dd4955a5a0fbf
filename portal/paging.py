"""Keyset pages: the next page begins after the last row of this one, so deep pages cost what the first one does.

No counts and no offsets. Cursors are signed for their list: nobody makes one up, and one of another list is refused.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from portal.errors import Invalid

Row = TypeVar("Row", bound=Model)
PAGE = 50
"""Rows on a page unless asked otherwise."""
MOST = 500
"""The most rows that anybody gets at once."""


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list; `next` is the cursor of those that follow, None on the last page."""

    items: list[Row]
    next: str | None
    first: bool

    def __bool__(self) -> bool:
        return bool(self.items)


def page_of(rows: QuerySet[Row], *order: str, after: str = "", limit: int = PAGE) -> Page[Row]:
    """The rows after the cursor `after` (empty: the first ones), at most `limit`, in one query.

    `order` names columns of the rows' own table, `-` in front for descending; together they must be unique and should
    have an index. Raises Invalid for a cursor that is not one of this list.
    """
    signer = signing.Signer(salt=f"page:{rows.model._meta.label}:{','.join(order)}")
    if after:
        rows = rows.filter(_beyond(order, _values(rows.model, order, signer, after)))
    items = list(rows.order_by(*order)[: limit + 1])
    more, items = len(items) > limit, items[:limit]
    cursor = signer.sign_object([_text(items[-1], name) for name in order]) if more else None
    return Page(items, cursor, first=not after)


def _values(model: type[Model], order: tuple[str, ...], signer: signing.Signer, after: str) -> list[Any]:
    columns = {field.name: field for field in model._meta.concrete_fields}
    try:
        texts = signer.unsign_object(after)
        return [columns[name.removeprefix("-")].to_python(text) for name, text in zip(order, texts, strict=True)]
    except (signing.BadSignature, ValidationError, ValueError) as error:
        raise Invalid({"after": ["This is not a cursor of this list. Begin at its first page."]}) from error


def _beyond(order: tuple[str, ...], values: list[Any]) -> Q:
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
