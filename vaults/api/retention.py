"""JSON endpoints of a vault's retention policy: read, change."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from ninja import Router, Schema, Status
from pydantic import Field

from portal.api.problems import refuses
from portal.api.schemas import Body, Text
from portal.core.errors import ContentChanged, StaleState, TooManyOpen
from portal.core.http import ApiRequest
from vaults.models import RetentionChange
from vaults.queries import vault_seen_by
from vaults.retention_policy import changes
from vaults.retention_policy.policy import RetentionPolicy

router = Router()


class RetentionOut(Schema):
    """A retention policy; null for a rule that is off."""

    keep_within_days: int
    keep_weekly_within_weeks: int | None
    keep_monthly_within_months: int | None
    keep_yearly_within_years: int | None
    minimum_retention_days: int
    soft_delete_days: int


class RetentionIn(Body):
    """What is to change of a retention policy: what is left out stays, null turns a rule off."""

    keep_within_days: int | None = None
    keep_weekly_within_weeks: int | None = None
    keep_monthly_within_months: int | None = None
    keep_yearly_within_years: int | None = None
    minimum_retention_days: int | None = None
    soft_delete_days: int | None = None
    reason: Text = Field("", max_length=2000, description="Needed when something is kept for less long.")


class RetentionChangeOut(Schema):
    """A request for a weaker policy, which a second person decides at `/requests/<id>/`."""

    id: UUID
    kind: Literal["retention"]
    state: Literal["pending", "approved", "rejected", "cancelled", "expired"]
    vault_id: UUID
    policy_before: RetentionOut
    policy_wanted: RetentionOut
    reason: str
    requested_by: str
    requested_at: datetime
    digest: str


@router.get("/{uuid:vault_id}/retention", response=RetentionOut, summary="The retention policy of a vault")
def retention(request: ApiRequest, vault_id: UUID) -> dict[str, object]:
    """For how long its machines' snapshots are kept, and what was deleted can be brought back."""
    return RetentionPolicy.of(vault_seen_by(request.auth, vault_id)).values


@router.patch(
    "/{uuid:vault_id}/retention",
    response={200: RetentionOut, 202: RetentionChangeOut},
    summary="Change the retention policy of a vault",
    openapi_extra=refuses(ContentChanged, StaleState, TooManyOpen),
)
def change_retention(request: ApiRequest, vault_id: UUID, body: RetentionIn) -> Status[dict[str, object]]:
    """200 with the policy when nothing is kept for less long; else 202 with the request that it became, on which an
    approver or another member decides."""
    vault = vault_seen_by(request.auth, vault_id)
    before = RetentionPolicy.of(vault)
    wanted = {name: getattr(body, name) for name in body.model_fields_set - {"reason"}}
    policy = RetentionPolicy(**(before.values | wanted))
    # What is left out is as it was read here, so nobody may have changed it since.
    asked = changes.change(
        vault_id, actor=request.auth, policy=policy, reason=body.reason, expected=changes.shown(vault)
    )
    if asked is not None:
        return Status(202, _shown(asked))
    return Status(200, policy.values)


def _shown(asked: RetentionChange) -> dict[str, object]:
    return {
        "id": asked.pk,
        "kind": "retention",
        "state": asked.state,
        "vault_id": asked.vault_id,
        "policy_before": asked.policy_before,
        "policy_wanted": asked.policy_wanted,
        "reason": asked.reason,
        "requested_by": asked.requested_by.username,
        "requested_at": asked.requested_at,
        "digest": changes.workflow.digest_of(asked),
    }
