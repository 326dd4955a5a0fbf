"""Replacements as people and their scripts see them: ask, decide, and the credential that comes of it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from django.http import HttpResponse
from ninja import Router, Schema, Status
from pydantic import Field

from agents.models import ReplacementRequest
from agents.protocol.errors import MachineExists
from agents.queries import machine_seen_by
from agents.replacement import replacements as replacement
from agents.replacement.queries import download_until, replacement_seen_by, replacements_of
from agents.replacement.replacements import workflow
from portal.api.problems import refuses
from portal.api.schemas import Body, PageOut, PageQuery, Text, listed
from portal.core.errors import ContentChanged, OwnRequest, StaleState, TooManyOpen
from portal.core.http import ApiRequest
from portal.core.paging import page_of
from vaults.api.schemas import ChallengeOut, ClaimIn, DecisionIn
from vaults.credentials import possession
from vaults.credentials.issuance import VaultNotActive

router = Router()


class ReplacementOut(Schema):
    """A request that another computer may take the place of a machine."""

    id: UUID
    machine_id: UUID
    vault_id: UUID
    state: Literal["pending", "approved", "rejected", "cancelled", "expired", "used"]
    reason: str
    requested_by: str
    requested_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    comment: str
    download_until: datetime | None
    digest: str = Field(description="Of what is decided on: send it with the decision.")


class ReplacementIn(Body):
    """Why a machine is to be replaced."""

    reason: Text = Field(min_length=1, max_length=2000)


@router.post(
    "/machines/{uuid:machine_id}/replacements",
    response={201: ReplacementOut},
    summary="Request the replacement of a machine",
    openapi_extra=refuses(VaultNotActive, MachineExists, StaleState, TooManyOpen),
)
def ask_replacement(request: ApiRequest, machine_id: UUID, body: ReplacementIn) -> Status[dict[str, object]]:
    """An approver, or another member of the vault's subscription, has to agree to it."""
    made = replacement.request(machine_id, actor=request.auth, reason=body.reason)
    return Status(201, _shown(replacement_seen_by(request.auth, made.pk)))


@router.get(
    "/machines/{uuid:machine_id}/replacements",
    response=PageOut[ReplacementOut],
    summary="Requests to replace a machine, newest first",
)
def replacements(request: ApiRequest, machine_id: UUID, wanted: PageQuery) -> dict[str, object]:
    """All that were made."""
    rows = replacements_of(machine_seen_by(request.auth, machine_id))
    return listed(page_of(rows, "-requested_at", "id", after=wanted.after, limit=wanted.limit), _shown)


@router.get("/replacements/{uuid:request_id}", response=ReplacementOut, summary="One request to replace a machine")
def one_replacement(request: ApiRequest, request_id: UUID) -> dict[str, object]:
    """What is asked for, and what was decided."""
    return _shown(replacement_seen_by(request.auth, request_id))


@router.post(
    "/replacements/{uuid:request_id}/approve",
    response=ReplacementOut,
    summary="Agree to a replacement",
    openapi_extra=refuses(OwnRequest, ContentChanged, StaleState),
)
def approve_replacement(request: ApiRequest, request_id: UUID, body: DecisionIn) -> dict[str, object]:
    """For 48 hours the one who asked may issue the credential."""
    replacement.approve(request_id, actor=request.auth, comment=body.comment, digest=body.digest)
    return _shown(replacement_seen_by(request.auth, request_id))


@router.post(
    "/replacements/{uuid:request_id}/reject",
    response=ReplacementOut,
    summary="Reject a replacement",
    openapi_extra=refuses(OwnRequest, ContentChanged, StaleState),
)
def reject_replacement(request: ApiRequest, request_id: UUID, body: DecisionIn) -> dict[str, object]:
    """Needs a comment, which whoever asked reads."""
    replacement.reject(request_id, actor=request.auth, comment=body.comment, digest=body.digest)
    return _shown(replacement_seen_by(request.auth, request_id))


@router.post(
    "/replacements/{uuid:request_id}/cancel",
    response=ReplacementOut,
    summary="Cancel a replacement",
    openapi_extra=refuses(StaleState),
)
def cancel_replacement(request: ApiRequest, request_id: UUID) -> dict[str, object]:
    """Your own, or as a member one that was agreed to; its credential registers nobody any more."""
    replacement.cancel(request_id, actor=request.auth)
    return _shown(replacement_seen_by(request.auth, request_id))


@router.post(
    "/replacements/{uuid:request_id}/credentials/challenge",
    response={201: ChallengeOut},
    summary="Request a challenge",
)
def challenge_replacement(request: ApiRequest, response: HttpResponse, request_id: UUID) -> Status[dict[str, object]]:
    """The same as for a vault credential: to prove with that you hold the key that the credential shall be for."""
    response["Cache-Control"] = "no-store"
    made = possession.new(replacement_seen_by(request.auth, request_id).vault_id, actor=request.auth)
    return Status(201, {"challenge": made.text, "expires_at": made.expires_at})


@router.post(
    "/replacements/{uuid:request_id}/credentials",
    response={201: dict[str, object]},
    summary="Issue a replacement credential",
    openapi_extra=refuses(VaultNotActive, MachineExists, StaleState),
)
def issue_replacement(
    request: ApiRequest, response: HttpResponse, request_id: UUID, body: ClaimIn
) -> Status[dict[str, object]]:
    """The credential file, good for one use in the place of that machine. Ends the one before.

    With a key of your own (`public_key`, `proof`, `challenge`) all but the private key; otherwise the portal makes one,
    which is in this answer and nowhere else.
    """
    response["Cache-Control"] = "no-store"
    return Status(201, dict(replacement.issue(request_id, actor=request.auth, claim=body.claim).document))


def _shown(asked: ReplacementRequest) -> dict[str, object]:
    return {
        "id": asked.pk,
        "machine_id": asked.machine_id,
        "vault_id": asked.vault_id,
        "state": asked.state,
        "reason": asked.reason,
        "requested_by": asked.requested_by.username,
        "requested_at": asked.requested_at,
        "decided_by": asked.verdict.by.username if asked.verdict else None,
        "decided_at": asked.decided_at,
        "comment": asked.verdict.comment if asked.verdict else "",
        "download_until": download_until(asked),
        "digest": workflow.digest_of(asked),
    }
