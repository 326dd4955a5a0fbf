"""Changes to subscriptions and to who belongs to them: each with its audit entry, in one transaction.

Only administrators, and the system itself, may do these.
"""

from django.db import transaction

from portal.accounts.models import Membership, Subscription, User
from portal.accounts.rules import require_administrator, require_valid
from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import Actor


def create_subscription(actor: Actor, name: str, *, description: str = "") -> Subscription:
    """A unit that can own vaults. Raises Invalid for a name that is taken or empty."""
    require_administrator(actor)
    subscription = Subscription(name=name.strip(), description=description.strip())
    require_valid(subscription)
    with transaction.atomic():
        subscription.save()
        record(Action.SUBSCRIPTION_CREATE, actor=actor, target=subscription)
    return subscription


def rename_subscription(actor: Actor, subscription: Subscription, name: str, *, description: str | None = None) -> None:
    """Another name, and another description when one is given. Raises Invalid for a name that is taken or empty."""
    require_administrator(actor)
    with transaction.atomic():
        row = Subscription.objects.select_for_update().get(pk=subscription.pk)
        old = row.name
        row.name = name.strip()
        row.description = row.description if description is None else description.strip()
        require_valid(row)
        row.save(update_fields=["name", "description"])
        record(Action.SUBSCRIPTION_RENAME, actor=actor, target=row, detail={"from": old, "to": row.name})


def add_member(actor: Actor, user: User, subscription: Subscription) -> Membership:
    """Make the person IT staff of the subscription; one who is already stays so."""
    require_administrator(actor)
    with transaction.atomic():
        membership, new = Membership.objects.get_or_create(user=user, subscription=subscription)
        if new:
            record(Action.MEMBERSHIP_ADD, actor=actor, target=subscription, detail={"person": user.username})
    return membership


def remove_member(actor: Actor, user: User, subscription: Subscription) -> None:
    """Take the person out of the subscription, from the next request on."""
    require_administrator(actor)
    with transaction.atomic():
        if Membership.objects.filter(user=user, subscription=subscription).delete()[0]:
            record(Action.MEMBERSHIP_REMOVE, actor=actor, target=subscription, detail={"person": user.username})
