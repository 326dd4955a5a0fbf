"""Requests and vaults as JSON."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field

from portal.api.schemas import Body, Text
from portal.approvals.models import Decision
from vaults.credentials.possession import Claim
from vaults.models import Vault, VaultRequest

Redundancy = Literal["geo", "local"]


class RequestIn(Body):
    """A vault that somebody asks for; `subscription` and `region` are names."""

    subscription: Text = Field(max_length=80)
    name: Text = Field(max_length=200)
    region: Text = Field(max_length=80)
    redundancy: Redundancy
    reason: Text = Field(max_length=2000)


class DecisionIn(Body):
    """A decision about exactly the content that `digest` stands for."""

    comment: Text = Field("", max_length=2000)
    digest: Text = Field(max_length=64)


class RedundancyIn(Body):
    """What can be changed about a vault."""

    redundancy: Redundancy


class ClaimIn(Body):
    """All or none, for a key that the caller made."""

    public_key: Text = Field("", max_length=200, description="P-256, SPKI in standard base64.")
    proof: Text = Field("", max_length=200, description="ECDSA-SHA256 in standard base64, raw r‖s or DER.")
    challenge: Text = Field("", max_length=64)

    @property
    def claim(self) -> Claim | None:
        """What is said about a key of the caller's own; None when nothing is."""
        if not self.model_fields_set & {"public_key", "proof", "challenge"}:
            return None
        return Claim(self.public_key, self.proof, self.challenge)


class CredentialIn(ClaimIn):
    """For how many machines a credential shall be good; the others all or none, for a key that the caller made."""

    machines: int = Field(1, ge=1, le=500)


class ChallengeOut(Schema):
    challenge: str
    expires_at: datetime


class DecisionOut(Schema):
    verdict: Literal["approved", "rejected", "cancelled"]
    by: str
    at: datetime
    comment: str
    digest: str


class RequestOut(Schema):
    id: UUID
    state: Literal["pending", "approved", "rejected", "cancelled", "expired"]
    subscription: str
    name: str
    region: str
    redundancy: Redundancy
    reason: str
    requested_by: str
    requested_at: datetime
    digest: str
    vault_id: UUID | None
    decisions: list[DecisionOut]


class VaultOut(Schema):
    id: UUID
    name: str
    state: Literal["Creating", "Active", "Failed", "Removing", "Removed"]
    state_reason: str
    subscription: str
    region: str
    redundancy: Redundancy
    redundancy_locked: bool
    machines: int
    last_backup_at: datetime | None
    created_at: datetime


def decision_out(decision: Decision) -> dict[str, object]:
    """The decision, with `by` and its verdict as words."""
    return {
        "verdict": decision.get_verdict_display(),
        "by": decision.by.username,
        "at": decision.at,
        "comment": decision.comment,
        "digest": decision.digest,
    }


def request_out(request: VaultRequest) -> dict[str, object]:
    """The request as the contract shows it; no query when `with_decisions` fetched it."""
    return {
        "id": request.pk,
        "state": request.state,
        "subscription": request.subscription.name,
        "name": request.name,
        "region": request.region.name,
        "redundancy": request.redundancy,
        "reason": request.reason,
        "requested_by": request.requested_by.username,
        "requested_at": request.requested_at,
        "digest": request.digest,
        "vault_id": request.vault_id,
        "decisions": [decision_out(decision) for decision in request.decisions.all()],
    }


def vault_out(vault: Vault) -> dict[str, object]:
    """The vault as the contract shows it; needs its region and subscription."""
    return {
        "id": vault.pk,
        "name": vault.name,
        "state": vault.state,
        "state_reason": vault.state_reason,
        "subscription": vault.subscription.name,
        "region": vault.region.name,
        "redundancy": vault.redundancy,
        "redundancy_locked": vault.redundancy_locked,
        "machines": vault.machine_count,
        "last_backup_at": vault.last_backup_at,
        "created_at": vault.created_at,
    }
