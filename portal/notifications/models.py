"""The status area at the bottom of every page: one row for each operation or message."""

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q, QuerySet

from portal.accounts.models import Membership, Subscription, User

OPEN = ("attention", "failed", "running")
"""States of what is not over for people: it runs, or it needs somebody."""


class NotificationQuerySet(QuerySet["Notification"]):
    """Notifications. Whose they are is also said in SQL by hand, for the area (current.py)."""

    def visible_to(self, person: User) -> Self:
        """What is addressed to the person: to themselves, their subscriptions, and approvers when they are one."""
        mine = Membership.objects.filter(user=person).values("subscription_id")
        audience = Q(user=person) | Q(subscription__in=mine)
        return self.filter(audience | Q(for_approvers=True) if person.is_approver else audience)


class Notification(models.Model):
    """What runs or ran, for the members of a subscription, for one person, or for all approvers.

    `key` names the thing it is about (`vault-create:<uuid>`): publishing the same key again changes the row in place.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        ATTENTION = "attention", "Needs attention"
        INFO = "info", "Information"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=120, unique=True)
    subscription = models.ForeignKey(Subscription, models.CASCADE, null=True, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    for_approvers = models.BooleanField(default=False)
    state = models.CharField(max_length=12, choices=State.choices)
    title = models.CharField(max_length=200)
    step = models.CharField(max_length=300, blank=True)
    progress = models.PositiveSmallIntegerField(default=0)  # per cent
    url = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["subscription", "-updated_at"]),
            models.Index(fields=["user", "-updated_at"]),
            models.Index(fields=["for_approvers", "-updated_at"]),
            # For people of many subscriptions: the latest of all, until enough of them are theirs.
            models.Index(fields=["-updated_at"], name="notification_latest"),
            models.Index(fields=["-updated_at"], name="notification_open", condition=Q(state__in=OPEN)),
        ]

    def __str__(self) -> str:
        return self.title


class Dismissal(models.Model):
    """A person has put a notification away; it comes back when it changes after that."""

    notification = models.ForeignKey(Notification, models.CASCADE, related_name="dismissals")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["notification", "user"], name="dismissal_unique")]

    def __str__(self) -> str:
        return f"{self.user} dismissed {self.notification}"


class Reading(models.Model):
    """How far a person has read what ended: a moment for all of it, so that it costs the same however much it was."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+")
    seen_until = models.DateTimeField(null=True)  # it has been on the screen for some seconds
    dismissed_until = models.DateTimeField(null=True)  # somebody pressed `Dismiss completed`

    def __str__(self) -> str:
        return f"{self.user} has read until {self.seen_until}"
