"""Requests for vaults, from asking to the decision.

Every way to a decision ends in one of two places: `_grant`, which makes the vault, and `_close`, which frees the name.
One approver's word grants a request. A rule that grants at once belongs at the end of `submit`, a quorum in `approve`
before `_grant`, and more ways of telling people in `vaults.requests.notices`.
"""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.accounts.models import Subscription
from portal.accounts.rules import require_few_open
from portal.audit.record import record, refusal
from portal.audit.transitions import advance
from portal.core import digests
from portal.core.actor import SYSTEM, Actor
from portal.core.errors import (
    ContentChanged,
    DomainError,
    Invalid,
    NameTaken,
    NotAllowed,
    NotFound,
    OwnRequest,
    StaleState,
)
from portal.core.texts import is_blank
from portal.core.times import for_people
from vaults.lifecycle import creation
from vaults.models import Decision, NameReservation, Region, VaultRequest
from vaults.queries import request_seen_by
from vaults.requests import notices
from vaults.requests.validation import digest_of, find_duplicate, require_valid
from vaults.rules import (
    OPEN_FOR,
    decide_until,
    is_overdue,
    name_problem,
    name_taken,
    require_approver,
    require_full,
    require_member,
    text_problem,
)
from vaults.states import RequestState


def submit(
    *, actor: Actor, subscription: Subscription, name: str, region: Region, redundancy: str, reason: str
) -> VaultRequest:
    """Ask for a vault; the name is reserved until the request is rejected, cancelled or expires.

    The same again from the same person within seconds is the same request. Raises NotFound, NotAllowed, Invalid (with
    the messages for each field), NameTaken and TooManyOpen.
    """
    if not Subscription.objects.visible_to(actor.person).filter(pk=subscription.pk).exists():
        raise NotFound
    require_member(actor, subscription)
    wanted = VaultRequest(
        subscription=subscription,
        name=name,
        region=region,
        redundancy=redundancy,
        reason=reason.strip(),
        requested_by=actor.person,
        requested_at=timezone.now(),
    )
    require_valid(wanted)
    if twin := find_duplicate(wanted):
        return twin
    if problem := name_problem(subscription, name):
        raise NameTaken(problem)
    wanted.digest = digest_of(wanted)
    try:
        with transaction.atomic():
            _open(wanted, actor)
    except IntegrityError as error:
        if twin := find_duplicate(wanted):
            return twin
        raise NameTaken(name_taken(subscription, name)) from error
    return wanted


def approve(request_id: UUID, *, actor: Actor, comment: str, digest: str) -> VaultRequest:
    """Agree to exactly what `digest` stands for: the vault is made at once, by a worker.

    Raises NotFound, NotAllowed, OwnRequest, ContentChanged, Invalid, and StaleState when it has been decided already,
    or when the region or its pair takes no vaults any more.
    """
    request = _for_decision(request_id, actor, comment, digest)
    if not request.region.enabled:
        raise StaleState(
            f"{request.region.name} has been closed for new vaults since this was requested.",
            remedy="Reject the request, or ask an administrator to open the region.",
        )
    with transaction.atomic():
        _grant(request, actor)
        _note(request, Decision.Verdict.APPROVE, actor, comment)
    return request


def reject(request_id: UUID, *, actor: Actor, comment: str, digest: str) -> VaultRequest:
    """Say no, with a comment that says why; the name is free again. Raises as `approve`."""
    request = _for_decision(request_id, actor, comment, digest)
    if is_blank(comment):
        raise Invalid({"comment": ["Give a reason, so that the requester can act on it."]})
    with transaction.atomic():
        _close(request, RequestState.REJECTED, actor)
        _note(request, Decision.Verdict.REJECT, actor, comment)
        notices.rejected(request, actor, comment)
    return request


def cancel(request_id: UUID, *, actor: Actor, comment: str, digest: str) -> VaultRequest:
    """Take one's own request back; the name is free again.

    Raises NotFound, NotAllowed, ContentChanged, Invalid, StaleState.
    """
    request = request_seen_by(actor, request_id)
    require_full(actor)
    if request.requested_by_id != actor.person.pk:
        raise NotAllowed("Only the requester can cancel a request.")
    _require_decidable(request, actor, comment, digest)
    with transaction.atomic():
        _close(request, RequestState.CANCELLED, actor)
        _note(request, Decision.Verdict.CANCEL, actor, comment)
        notices.cancelled(request, actor)
    return request


def expire(limit: int) -> int:
    """End requests that nobody decided in time, at most `limit` of them; gives how many."""
    overdue = VaultRequest.objects.filter(state=RequestState.PENDING, requested_at__lt=timezone.now() - OPEN_FOR)
    ended = 0
    for request in overdue.select_related("subscription").order_by("requested_at")[:limit]:
        try:
            with transaction.atomic():
                _close(request, RequestState.EXPIRED, SYSTEM)
                notices.expired(request)
        except StaleState:
            continue  # decided this very moment
        ended += 1
    return ended


def _open(wanted: VaultRequest, actor: Actor) -> None:
    require_few_open(actor.person, VaultRequest.objects.filter(state=RequestState.PENDING))
    wanted.save(force_insert=True)
    NameReservation.objects.create(subscription=wanted.subscription, name_key=wanted.name.lower(), request=wanted)
    record(
        "vault-request:submit",
        actor=actor,
        target=wanted,
        detail={
            "subscription": wanted.subscription.name,
            "region": wanted.region.slug,
            "redundancy": wanted.redundancy,
            "reason": wanted.reason,
            "digest": wanted.digest,
        },
    )
    notices.waiting(wanted)


def _for_decision(request_id: UUID, actor: Actor, comment: str, digest: str) -> VaultRequest:
    request = request_seen_by(actor, request_id)
    try:
        require_approver(actor)
        if request.requested_by_id == actor.person.pk:
            raise OwnRequest(
                "You requested this vault yourself.", remedy="Another approver has to decide on the request."
            )
    except NotAllowed as error:
        _record_refusal(request, actor, error)
        raise
    _require_decidable(request, actor, comment, digest)
    return request


def _record_refusal(request: VaultRequest, actor: Actor, error: DomainError) -> None:
    refusal("vault-request:decide", actor=actor, target=request, detail={"code": error.code})


def _require_decidable(request: VaultRequest, actor: Actor, comment: str, digest: str) -> None:
    if problem := text_problem(comment):
        raise Invalid({"comment": [problem]})
    if request.state != RequestState.PENDING:
        raise StaleState(f"This request is already {_ended(request, actor)}.", remedy="Reload the page and review it.")
    if is_overdue(request):  # the sweep has not come by yet
        raise StaleState(
            f"This request could be decided until {for_people(decide_until(request))}; now it expires.",
            remedy="Request the vault again if it is still needed.",
        )
    if not digests.same(digest, digest_of(request)):
        raise ContentChanged(
            "The request has changed since you opened it.", remedy="Review the request again, then decide."
        )


def _ended(request: VaultRequest, actor: Actor) -> str:
    """How it ended: `approved by you`, `rejected by Ada`, `expired`."""
    label: str = request.STATES.looks[request.state].label.lower()
    decision = request.decisions.select_related("by").last()
    if decision is None:
        return label
    return f"{label} by {'you' if decision.by_id == actor.person.pk else decision.by.display_name}"


def _grant(request: VaultRequest, actor: Actor) -> None:
    advance(request, RequestState.APPROVED, actor=actor, decided_at=timezone.now(), detail={"digest": request.digest})
    vault = creation.create(request, actor=actor)
    VaultRequest.objects.filter(pk=request.pk).update(vault=vault)
    request.vault = vault
    notices.decided(request)


def _close(request: VaultRequest, state: RequestState, actor: Actor) -> None:
    advance(request, state, actor=actor, decided_at=timezone.now(), detail={"digest": request.digest})
    NameReservation.objects.filter(request=request).delete()
    notices.decided(request)


def _note(request: VaultRequest, verdict: Decision.Verdict, actor: Actor, comment: str) -> None:
    Decision.objects.create(
        request=request,
        verdict=verdict,
        by=actor.person,
        at=timezone.now(),
        comment=comment.strip(),
        digest=request.digest,
    )
