"""Who agrees to another quota, and what happens then."""

from collections.abc import Mapping

from django.db.models import QuerySet

from portal.accounts.models import User
from portal.approvals.policy import Policy, Stage
from portal.approvals.workflow import Workflow
from portal.audit.actions import Action
from portal.core.actor import Actor
from tests.portal.approvals.quota_changes.models import QuotaChange


class QuotaChanges(Workflow[QuotaChange]):
    """Two approvers, then an auditor."""

    model = QuotaChange
    refused_decision, refused_cancel = Action.VAULT_REQUEST_DECIDE, Action.VAULT_REQUEST_CANCEL  # its own, in an app
    policy = Policy(
        stages=(
            Stage(lambda _: User.objects.filter(is_approver=True), lambda _: "Only approvers decide.", approvals=2),
            Stage(lambda _: User.objects.filter(is_auditor=True), lambda _: "Only auditors decide."),
        )
    )

    def visible_to(self, person: User) -> QuerySet[QuotaChange]:
        """All people see all of them."""
        return QuotaChange.objects.all()

    def content(self, request: QuotaChange) -> Mapping[str, object]:
        """How much, and why."""
        return {"id": str(request.pk), "gigabytes": request.gigabytes, "reason": request.reason}

    def granted(self, request: QuotaChange, actor: Actor, comment: str) -> None:
        """Apply it."""
        QuotaChange.objects.filter(pk=request.pk).update(applied=True)
