"""What the tests of all packages make: people, those who act for them, and vaults."""

from typing import Any

from django.utils import timezone

from portal.accounts.models import Membership, Subscription, User
from portal.core.actor import Actor, Via
from vaults.models import Redundancy, Region, Vault
from vaults.states import VaultState

PASSWORD = "correct horse battery"


def person(username: str, **flags: Any) -> User:
    """A person who can sign in with PASSWORD."""
    user = User(username=username, **flags)
    user.set_password(PASSWORD)
    user.save()
    return user


def member_of(subscription: Subscription, username: str = "colleague", **flags: Any) -> User:
    """A person who is a member of the subscription."""
    user = person(username, **flags)
    Membership.objects.create(user=user, subscription=subscription)
    return user


def as_actor(user: User, via: Via = Via.PAGE) -> Actor:
    """The person as domain functions take them."""
    return Actor(label=user.username, via=via, user=user, address="192.0.2.7")


def vault_in(subscription: Subscription, region: Region, name: str = "Payroll", **columns: Any) -> Vault:
    """A vault, Active and geo-redundant unless told otherwise; the row only, no storage."""
    values: dict[str, Any] = {
        "redundancy": Redundancy.GEO,
        "state": VaultState.ACTIVE,
        "activated_at": timezone.now(),
        **columns,
    }
    return Vault.objects.create(**{"subscription": subscription, "region": region, "name": name, **values})
