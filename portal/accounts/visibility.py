"""Who sees which rows: members those of their subscriptions, approvers and auditors all."""

from typing import ClassVar, Self, TypeVar

from django.db.models import Model, QuerySet

from portal.accounts.models import User

Row = TypeVar("Row", bound=Model)


class OwnedQuerySet(QuerySet[Row]):
    """Rows that belong to a subscription. Say in `members` how its members are looked up from such a row."""

    members: ClassVar[str] = "subscription__memberships__user"

    def visible_to(self, person: User) -> Self:
        """Those of the rows that the person may see."""
        return self if person.sees_all else self.filter(**{self.members: person})
