"""Who may do what with requests and vaults: questions that answer yes or no, or raise."""

from portal.accounts.actors import Actor
from portal.accounts.models import Membership, Subscription
from portal.errors import NotAllowed


def require_full(actor: Actor) -> None:
    """Raise NotAllowed for a token that may only read."""
    if actor.read_only:
        raise NotAllowed("This token may only read.", remedy="Make one that may do all that you may do.")


def is_member(actor: Actor, subscription_id: int) -> bool:
    """Whether the person belongs to the subscription."""
    return Membership.objects.filter(user=actor.person, subscription_id=subscription_id).exists()


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
        raise NotAllowed("Only approvers decide on requests.")
