"""Requests that others decide on, and what each of them decided."""

import uuid

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models

from portal.approvals.states import RequestState


class Decision(models.Model):
    """What a person decided on a request, in which stage, and about which content."""

    class Verdict(models.TextChoices):
        APPROVE = "approve", "approved"
        REJECT = "reject", "rejected"
        CANCEL = "cancel", "cancelled"

    content_type = models.ForeignKey(ContentType, models.PROTECT, related_name="+")
    request_id = models.UUIDField()
    request = GenericForeignKey("content_type", "request_id")
    stage = models.PositiveSmallIntegerField(default=1)
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    # Who asked: a copy, by which the database itself refuses decisions on one's own request.
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    comment = models.TextField(max_length=2000, blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["request_id", "content_type", "stage", "by"], name="decision_once_in_each_stage"
            ),
            models.CheckConstraint(
                condition=models.Q(verdict="cancel", by=models.F("requested_by"))
                | (~models.Q(verdict="cancel") & ~models.Q(by=models.F("requested_by"))),
                name="decision_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.by} {self.get_verdict_display()}"


class Approvable(models.Model):
    """A request that others decide on. Each kind adds what is asked for, `state`, and `STATES`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reason = models.TextField(max_length=2000)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decisions = GenericRelation(Decision, object_id_field="request_id")

    state: "models.CharField[str, str]"

    class Meta:
        abstract = True

    @property
    def verdict(self) -> Decision | None:
        """The decision that ended the waiting, of somebody other than who asked; None when there is none."""
        given = [one for one in self.decisions.all() if one.verdict != Decision.Verdict.CANCEL]
        return given[-1] if given and self.state != RequestState.PENDING else None
