"""The status area at the bottom of every page: one row for each operation or message."""

import uuid

from django.conf import settings
from django.db import models

from portal.accounts.models import Subscription


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

    class Meta:
        indexes = [
            models.Index(fields=["subscription", "-updated_at"]),
            models.Index(fields=["user", "-updated_at"]),
            models.Index(fields=["for_approvers", "-updated_at"]),
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
