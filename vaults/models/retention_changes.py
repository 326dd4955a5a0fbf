"""Requests to keep less than a vault's retention policy keeps."""

from typing import ClassVar

from django.db import models

from portal.accounts.visibility import OwnedQuerySet
from portal.approvals.models import Approvable
from portal.approvals.states import RequestState
from portal.core.states import StateTable
from vaults import states
from vaults.models.core import Vault


class RetentionChangeQuerySet(OwnedQuerySet["RetentionChange"]):
    """Requests for weaker policies; `visible_to()` says whose."""

    members = "vault__subscription__memberships__user"


class RetentionChange(Approvable):
    """Somebody asks for a policy by which something is kept for less long; a second person agrees to it.

    Both policies as they were then, by the names of `vaults.retention_policy.policy.RetentionPolicy`: when the vault's
    is another one by the time of the decision, the request is out of date.
    """

    STATES: ClassVar[StateTable] = states.RETENTION_CHANGE

    vault = models.ForeignKey(Vault, models.PROTECT, related_name="retention_changes")
    state = models.CharField(max_length=9, choices=RequestState.choices, default=RequestState.PENDING)
    policy_before = models.JSONField()
    policy_wanted = models.JSONField()

    objects = RetentionChangeQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["state", "requested_at", "id"], name="retention_change_waiting")]
        constraints = [
            models.UniqueConstraint(
                fields=["vault"], condition=models.Q(state="pending"), name="retention_change_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"weaker retention of {self.vault}"
