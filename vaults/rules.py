"""Who may do what with requests and vaults, and what is well-formed: questions that answer, or raise."""

import re
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from portal.accounts.models import Membership, Subscription, User
from portal.core import texts
from portal.core.actor import Actor
from portal.core.errors import NotAllowed
from portal.core.prepared import prepared
from vaults.models import NameReservation, Operation, Vault, VaultRequest
from vaults.states import OperationState, RequestState, VaultState

OPEN_FOR = timedelta(days=14)
"""How long a request waits for a decision before it expires."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,49}")


def require_full(actor: Actor) -> None:
    """Raise NotAllowed for a token that may only read."""
    if actor.read_only:
        raise NotAllowed("This token is read-only.", remedy="Create one with full access.")


def is_member(actor: Actor, subscription_id: int) -> bool:
    """Whether the person belongs to the subscription."""
    return belongs_to(actor.person, subscription_id)


def belongs_to(user: User, subscription_id: int) -> bool:
    """Whether the user is a member of the subscription, whoever asks."""
    return bool(_memberships(user.pk, subscription_id))


@prepared
def _memberships(user_id: int, subscription_id: int) -> QuerySet[Membership, int]:
    return Membership.objects.filter(user=user_id, subscription=subscription_id).values_list("pk", flat=True)


def require_member(actor: Actor, subscription: Subscription) -> None:
    """Raise NotAllowed unless the person belongs to the subscription and did not come with a read-only token."""
    require_full(actor)
    if not is_member(actor, subscription.pk):
        raise NotAllowed(
            f"Only members of {subscription.name} may do this.",
            remedy="Ask an administrator to make you a member.",
        )


def require_approver(actor: Actor) -> None:
    """Raise NotAllowed unless the person is an approver and did not come with a read-only token."""
    require_full(actor)
    if not actor.person.is_approver:
        raise NotAllowed("Only approvers can decide on requests.")


def may_decide(actor: Actor, request: VaultRequest) -> str:
    """Why the person may not approve or reject the request now; "" when they may."""
    if request.state != RequestState.PENDING:
        return "It has already been decided."
    if is_overdue(request):
        return "Nobody decided in time."
    if not actor.person.is_approver:
        return "Only approvers can decide on requests."
    if request.requested_by_id == actor.person.pk:
        return "You requested it yourself: another approver has to decide."
    return ""


def deciders(request: VaultRequest) -> QuerySet[User]:
    """The people who can decide on the request: all approvers but the one who asked."""
    return deciders_for(request.requested_by).order_by("username")


def deciders_for(requester: User) -> QuerySet[User]:
    """The people who can decide on what this person asks for; unordered."""
    return User.objects.filter(is_active=True, is_approver=True).exclude(pk=requester.pk)


def decide_until(request: VaultRequest) -> datetime:
    """When the request expires if nobody decides."""
    return request.requested_at + OPEN_FOR


def is_overdue(request: VaultRequest) -> bool:
    """Whether the time for a decision is over; the sweep ends the request soon."""
    return timezone.now() >= decide_until(request)


def may_be_retried(vault: Vault, latest: Operation) -> bool:
    """Whether `latest`, the latest work on the vault, has failed and can be done again."""
    left_in = VaultState.FAILED if latest.kind == Operation.Kind.CREATE else VaultState.ACTIVE
    return latest.state == OperationState.FAILED and vault.state == left_in


def name_problem(subscription: Subscription, name: str) -> str:
    """Why a new vault cannot have the name, in a sentence for people; "" when it is well-formed and free.

    Free now is not reserved: two people may be told so at once, and the constraint decides.
    """
    if problem := name_malformed(name):
        return problem
    if NameReservation.objects.filter(subscription=subscription, name_key=name.lower()).exists():
        return name_taken(subscription, name)
    return ""


def name_malformed(name: str) -> str:
    """Why no vault anywhere can have the name, in a sentence for people; "" when one can."""
    if not 2 <= len(name) <= 50:
        return "A name must have 2 to 50 characters."
    if not NAME.fullmatch(name):
        return "A name must begin with a letter, followed by letters, digits or hyphens."
    return ""


def name_taken(subscription: Subscription, name: str) -> str:
    """What people are told about a name that is in use."""
    return f"{name} is in use in {subscription.name} by an open request or a vault. Choose another name."


def text_problem(text: str, *, required: bool = False, limit: int = 2000) -> str:
    """Why a reason or a comment cannot be stored, in a sentence for people; "" when it can."""
    return texts.problem(text, required=required, limit=limit)
