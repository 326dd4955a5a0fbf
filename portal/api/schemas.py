"""What bodies and answers of the JSON API are made of, in all apps."""

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

from django.db.models import Model
from ninja import Query, Schema
from pydantic import AfterValidator, ConfigDict, Field

from portal.core import texts
from portal.core.paging import MOST, PAGE, Page

Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)


def _readable(text: str) -> str:
    if problem := texts.problem(text):
        raise ValueError(problem)
    return text


Text = Annotated[str, AfterValidator(_readable)]
"""Text that can be stored, and that reads as it is."""


class Body(Schema):
    """The body of a call: unknown fields are refused, so that a misspelt one is noticed; `true` is no number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Window(Schema):
    """Which part of a list somebody wants."""

    limit: int = Field(PAGE, ge=1, le=MOST, description="How many items at most.")
    after: str = Field("", max_length=1000, description="The `next` of the page before.")


PageQuery = Query[Window]


class PageOut(Schema, Generic[Item]):
    """A part of a list; `next` is the cursor of what follows, null at the end."""

    items: list[Item]
    next: str | None


def listed(page: Page[Row], show: Callable[[Row], Any]) -> dict[str, object]:
    """A page of rows as a PageOut, each row as `show` makes it."""
    return {"items": [show(row) for row in page.items], "next": page.next}
