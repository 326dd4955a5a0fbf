"""Reading notifications: who sees which, and what the area at the bottom of the page holds."""

import hashlib
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils import timezone

from portal.accounts.models import Membership, User
from portal.notifications.models import Notification
from portal.notifications.standing import standing_of

SHOWN = 5
"""Entries in the area."""
COUNTED = 50
"""Beyond these the area says only that there are more."""

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


def area_of(user: User) -> Area:
    """The area of the person, in one query: what runs comes first, then the latest."""
    rows, number = standing_of(user, timezone.now(), most=SHOWN, counted=COUNTED)
    more = max(0, number - SHOWN)
    return Area(entries=rows, more=more, tag=_tag(rows, more))


def _tag(rows: list[Notification], more: int) -> str:
    """The same as long as the area shows the same: these rows unchanged, and so many more."""
    versions = "\n".join(f"{row.pk} {row.updated_at.isoformat()}" for row in rows)
    return f'"{hashlib.sha256(f"{more} {versions}".encode()).hexdigest()[:32]}"'
