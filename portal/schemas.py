"""What bodies and answers of the JSON API are made of, in all apps."""

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

from django.db.models import Model
from ninja import Query, Schema
from pydantic import AfterValidator, ConfigDict, Field

from portal.paging import MOST, PAGE, Page

Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)


def _printable(text: str) -> str:
    """Databases do not take the NUL character, and half a surrogate pair cannot be encoded."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("This text has characters that cannot be stored.")
    return text


Text = Annotated[str, AfterValidator(_printable)]
"""Text that can be stored."""


class Body(Schema):
    """The body of a call: unknown fields are refused, so that a misspelt one is not passed over."""

    model_config = ConfigDict(extra="forbid")


class Window(Schema):
    """Which part of a list somebody wants."""

    limit: int = Field(PAGE, ge=1, le=MOST, description="How many items at most.")
    after: str = Field("", max_length=1000, description="The `next` of the page before.")


Wanted = Query[Window]


class Listed(Schema, Generic[Item]):
    """A part of a list; `next` is the cursor of what follows, null at the end."""

    items: list[Item]
    next: str | None


def listed(page: Page[Row], show: Callable[[Row], Any]) -> dict[str, object]:
    """A page of rows as a Listed, each row as `show` makes it."""
    return {"items": [show(row) for row in page.items], "next": page.next}
