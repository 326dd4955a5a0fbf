"""Reading: which requests and vaults a person sees, and fetching one with the check of access in one step.

An outsider gets NotFound, so that nobody learns what exists; a member without the right NotAllowed.
"""

from uuid import UUID

from django.db.models import QuerySet

from portal.accounts.actors import Actor
from portal.accounts.models import Subscription, User
from portal.errors import NotFound
from vaults.models import Vault, VaultRequest
from vaults.rules import require_member


def visible_subscriptions(user: User) -> QuerySet[Subscription]:
    """The subscriptions that the person belongs to; all of them for approvers and auditors."""
    return Subscription.objects.all() if user.sees_all else Subscription.objects.filter(memberships__user=user)


def visible_vaults(user: User) -> QuerySet[Vault]:
    """The vaults that the person may see."""
    return Vault.objects.all() if user.sees_all else Vault.objects.filter(subscription__memberships__user=user)


def visible_requests(user: User) -> QuerySet[VaultRequest]:
    """The requests that the person may see."""
    if user.sees_all:
        return VaultRequest.objects.all()
    return VaultRequest.objects.filter(subscription__memberships__user=user)


def vault_seen_by(actor: Actor, vault_id: UUID) -> Vault:
    """The vault, with its region and subscription; raises NotFound for outsiders."""
    vault = visible_vaults(actor.person).select_related("region", "subscription").filter(pk=vault_id).first()
    if vault is None:
        raise NotFound
    return vault


def vault_worked_on_by(actor: Actor, vault_id: UUID) -> Vault:
    """The vault, for somebody who wants to change it; raises NotFound for outsiders, NotAllowed for onlookers."""
    vault = vault_seen_by(actor, vault_id)
    require_member(actor, vault.subscription)
    return vault


def request_seen_by(actor: Actor, request_id: UUID) -> VaultRequest:
    """The request, with what its page shows; raises NotFound for outsiders."""
    request = (
        visible_requests(actor.person)
        .select_related("region", "subscription", "requested_by", "vault")
        .filter(pk=request_id)
        .first()
    )
    if request is None:
        raise NotFound
    return request
