"""Reading notifications: who sees which, and what the area at the bottom of the page holds."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When
from django.utils import timezone

from portal.accounts.models import Membership, User
from portal.notifications.models import Dismissal, Notification

SHOWN = 5
"""Entries in the area."""
COUNTED = 50
"""Beyond these the area says only that there are more."""
KEPT = timedelta(hours=24)
"""How long an ended entry stays in the area unless it is dismissed."""
FORGOTTEN = timedelta(days=7)
"""A running entry that nobody has touched for so long leaves the area; the list still has it."""

RUNNING = Q(state=Notification.State.RUNNING)


@dataclass(frozen=True)
class Area:
    """What the area shows now."""

    entries: list[Notification]
    more: int
    tag: str

    @property
    def seconds(self) -> int:
        """How long until the page asks again: often while something runs."""
        return 1 if any(entry.state == Notification.State.RUNNING for entry in self.entries) else 30

    @property
    def ended(self) -> bool:
        """Whether there is something to dismiss."""
        return any(entry.state != Notification.State.RUNNING for entry in self.entries)


def visible_to(user: User) -> QuerySet[Notification]:
    """What is addressed to the person: to themselves, to their subscriptions, and to approvers when they are one."""
    mine = Membership.objects.filter(user=user).values("subscription_id")
    audience = Q(user=user) | Q(subscription__in=mine)
    return Notification.objects.filter(audience | Q(for_approvers=True) if user.is_approver else audience)


def standing_for(user: User, now: datetime) -> QuerySet[Notification]:
    """What belongs into the area of the person: what runs, and what ended lately and was not dismissed since."""
    dismissed = Dismissal.objects.filter(notification=OuterRef("pk"), user=user, at__gte=OuterRef("updated_at"))
    recent = Q(updated_at__gte=now - KEPT) | RUNNING
    return visible_to(user).filter(~Exists(dismissed), recent, updated_at__gte=now - FORGOTTEN)


def area_of(user: User) -> Area:
    """The area of the person, in one query: what runs comes first, then the latest."""
    running_first = Case(When(RUNNING, then=0), default=1)
    rows = list(standing_for(user, timezone.now()).order_by(running_first, "-updated_at", "id")[:COUNTED])
    return Area(entries=rows[:SHOWN], more=max(0, len(rows) - SHOWN), tag=_tag(rows))


def _tag(rows: list[Notification]) -> str:
    """The same as long as the same rows stand unchanged."""
    versions = "\n".join(f"{row.pk} {row.updated_at.isoformat()}" for row in rows)
    return f'"{hashlib.sha256(versions.encode()).hexdigest()[:32]}"'
