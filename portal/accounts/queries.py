"""Reading about people and subscriptions."""

from django.db.models import QuerySet

from portal.accounts.models import Subscription, User


def subscriptions_seen_by(user: User) -> QuerySet[Subscription]:
    """The subscriptions that the person belongs to, by name; all of them for approvers and auditors."""
    return Subscription.objects.all() if user.sees_all else Subscription.objects.filter(memberships__user=user)
