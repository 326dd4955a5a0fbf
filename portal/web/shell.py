"""What the frame of every page needs. Nothing is read until a template asks for it, so fragments pay nothing."""

from dataclasses import dataclass
from functools import cached_property

from django.db.models import Exists, QuerySet, Value
from django.http import HttpRequest

from portal.accounts.models import Membership, Subscription, User
from portal.core.prepared import prepared
from portal.notifications.queries import Area, area_of
from portal.web.kept_forms import KeptForm, kept_for
from portal.web.navigation import waiting_for

THEMES = frozenset({"light", "dark"})
MENU = 30
"""The most subscriptions that the menu offers; search finds the others."""


@dataclass
class Shell:
    """The frame around the page of one request."""

    request: HttpRequest

    @property
    def theme(self) -> str:
        """`light` or `dark` when the person chose one, else empty: as the system has it."""
        chosen = self.request.COOKIES.get("theme", "")
        return chosen if chosen in THEMES else ""

    @cached_property
    def _offered(self) -> list[Subscription]:
        return (_any_offered if self._person.sees_all else _own_offered)(self._person.pk)

    @property
    def _person(self) -> User:
        user = self.request.user
        if not isinstance(user, User):
            raise TypeError("The frame is for people who are signed in.")
        return user

    @cached_property
    def subscriptions(self) -> list[Subscription]:
        """Those that the menu offers."""
        return self._offered[:MENU]

    @property
    def more_subscriptions(self) -> bool:
        """Whether there are others than the menu offers."""
        return len(self._offered) > MENU

    @cached_property
    def subscription(self) -> Subscription | None:
        """The one that the page is filtered by, where it is one of the menu."""
        chosen = self.request.GET.get("subscription", "")
        return next((one for one in self.subscriptions if str(one.pk) == chosen), None)

    @property
    def subscription_label(self) -> str:
        """What the closed menu says."""
        if self.subscription:
            return self.subscription.name
        return self.subscriptions[0].name if len(self.subscriptions) == 1 else "All subscriptions"

    @property
    def may_ask(self) -> bool:
        """Whether the person can ask for vaults: in a subscription that they belong to."""
        return any(one.may_ask for one in self._offered[:1])  # type: ignore[attr-defined]  # annotated, and alike in all

    @property
    def to_decide(self) -> str:
        """How many requests wait for this person's decision; empty for none."""
        return waiting_for("requests", self._person)

    @cached_property
    def kept(self) -> KeptForm | None:
        """A form of this page that could not be taken, and comes back filled in."""
        return kept_for(self.request)

    @property
    def area(self) -> Area:
        """The notification area as it stands now."""
        return area_of(self._person)


@prepared
def _any_offered(user_id: int) -> QuerySet[Subscription]:
    belongs = Exists(Membership.objects.filter(user=user_id))  # asked along, which saves a query
    return Subscription.objects.annotate(may_ask=belongs).only("name")[: MENU + 1]


@prepared
def _own_offered(user_id: int) -> QuerySet[Subscription]:
    own = Subscription.objects.filter(memberships__user=user_id)
    return own.annotate(may_ask=Value(value=True)).only("name")[: MENU + 1]


def shell(request: HttpRequest) -> dict[str, object]:
    """Values for the frame of the page; no queries until they are used."""
    return {"shell": Shell(request)}
