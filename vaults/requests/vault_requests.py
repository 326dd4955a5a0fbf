"""Requests for vaults: how one is asked for, who decides on it, and what happens then.

The way to the decision is the same for all kinds of request, and stands in `portal.approvals.workflow`.
"""

from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from portal.accounts.models import Subscription, User
from portal.approvals.policy import Policy, Stage, require_few_open
from portal.approvals.states import RequestState
from portal.approvals.workflow import Workflow
from portal.audit.actions import Action
from portal.core.actor import Actor
from portal.core.errors import NameTaken, NotFound, StaleState
from portal.events.event import Event, happened
from vaults.lifecycle import creation
from vaults.models import NameReservation, Region, VaultRequest
from vaults.queries import with_decisions
from vaults.requests.events import (
    VaultRequestApproved,
    VaultRequestCancelled,
    VaultRequested,
    VaultRequestExpired,
    VaultRequestRejected,
)
from vaults.requests.validation import find_duplicate, require_valid
from vaults.rules import name_problem, name_taken, require_member


def _approvers(request: VaultRequest) -> QuerySet[User]:
    return User.objects.filter(is_approver=True)


class VaultRequests(Workflow[VaultRequest]):
    """One approver's word makes the vault; any other end frees its name."""

    model = VaultRequest
    refused_decision, refused_cancel = Action.VAULT_REQUEST_DECIDE, Action.VAULT_REQUEST_CANCEL
    policy = Policy(stages=(Stage(_approvers, who=lambda request: "Only approvers can decide on requests."),))

    def visible_to(self, person: User) -> QuerySet[VaultRequest]:
        """Those of the person's subscriptions, or all."""
        return VaultRequest.objects.visible_to(person)

    def shown(self, requests: QuerySet[VaultRequest]) -> QuerySet[VaultRequest]:
        """The requests with what they name and their decisions."""
        return with_decisions(requests)

    def content(self, request: VaultRequest) -> Mapping[str, object]:
        """Who asks for which vault, and why."""
        return {
            "id": str(request.pk),
            "subscription": request.subscription_id,
            "name": request.name,
            "region": request.region.slug,
            "redundancy": request.redundancy,
            "reason": request.reason,
            "requested_by": request.requested_by_id,
        }

    def require_grantable(self, request: VaultRequest) -> None:
        """Raise StaleState when the region takes no vaults any more; its pair is looked at when the vault is made."""
        if not request.region.enabled:
            raise StaleState(
                f"{request.region.name} has been closed for new vaults since this was requested.",
                remedy="Reject the request, or ask an administrator to open the region.",
            )

    def granted(self, request: VaultRequest, actor: Actor, comment: str) -> None:
        """Make the vault; a worker sets up its storage at once."""
        vault = creation.create(request, actor=actor)
        VaultRequest.objects.filter(pk=request.pk).update(vault=vault)
        request.vault = vault
        happened(VaultRequestApproved(request), actor=actor)

    def closed(self, request: VaultRequest, actor: Actor, comment: str) -> None:
        """Free the name, and tell the subscription's people."""
        NameReservation.objects.filter(request=request).delete()
        happened(_end_of(request, actor, comment), actor=actor)


def _end_of(request: VaultRequest, actor: Actor, comment: str) -> Event:
    if request.state == RequestState.REJECTED:
        return VaultRequestRejected(request, actor.person, comment)
    if request.state == RequestState.CANCELLED:
        return VaultRequestCancelled(request, actor.person)
    return VaultRequestExpired(request)


workflow = VaultRequests()
approve, reject, cancel, expire = workflow.approve, workflow.reject, workflow.cancel, workflow.expire


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
    wanted.digest = workflow.digest_of(wanted)
    try:
        with transaction.atomic():
            _open(wanted, actor)
    except IntegrityError as error:
        if twin := find_duplicate(wanted):
            return twin
        raise NameTaken(name_taken(subscription, name)) from error
    return wanted


def _open(wanted: VaultRequest, actor: Actor) -> None:
    require_few_open(actor.person, VaultRequest.objects.filter(state=RequestState.PENDING))
    wanted.save(force_insert=True)
    NameReservation.objects.create(subscription=wanted.subscription, name_key=wanted.name.lower(), request=wanted)
    happened(VaultRequested(wanted), actor=actor)
