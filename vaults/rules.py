"""Who may do what with requests and vaults, and what is well-formed: questions that answer, or raise."""

import re

from django.db.models import Q, QuerySet

from portal.accounts.models import Membership, Subscription, User
from portal.accounts.rules import require_full
from portal.core import texts
from portal.core.actor import Actor
from portal.core.errors import NotAllowed
from portal.core.prepared import prepared
from vaults.models import NameReservation, Operation, Vault
from vaults.states import OperationState, VaultState

NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,49}")


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


def second_people(subscription_id: int) -> QuerySet[User]:
    """Who may decide, when somebody else has asked, on what concerns the subscription's backups; unordered.

    Members know what is at stake, approvers are there where a subscription has one member only.
    """
    members = Membership.objects.filter(subscription_id=subscription_id).values("user_id")
    return User.objects.filter(Q(is_approver=True) | Q(pk__in=members))


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
