"""Reading: which requests and vaults a person sees, and fetching one with the check of access in one step.

An outsider gets NotFound, so that nobody learns what exists; a member without the right NotAllowed.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, F, Prefetch, Q, QuerySet
from django.utils import timezone

from portal.accounts.actors import Actor
from portal.accounts.models import Subscription, User
from portal.accounts.queries import subscriptions_seen_by
from portal.audit.models import AuditEvent
from portal.errors import Invalid, NotFound
from vaults.models import Credential, Decision, Operation, Region, Vault, VaultRequest
from vaults.rules import require_member
from vaults.states import RequestState, VaultState

MANY = 1000
"""Where counting ends: more than this is "many"."""


def own_subscriptions(user: User) -> QuerySet[Subscription]:
    """The subscriptions that the person belongs to, and so may ask for vaults in."""
    return Subscription.objects.filter(memberships__user=user)


def visible_vaults(user: User) -> QuerySet[Vault]:
    """The vaults that the person may see."""
    return Vault.objects.all() if user.sees_all else Vault.objects.filter(subscription__memberships__user=user)


def failed_own(user: User, vaults: Iterable[Vault]) -> set[UUID]:
    """Which of the vaults, all of them seen by the person, have failed and are the person's to try again.

    No query, but one where something failed for somebody who sees more than their own.
    """
    failed = {vault.pk for vault in vaults if vault.state == VaultState.FAILED}
    if not failed or not user.sees_all:
        return failed
    own = Vault.objects.filter(pk__in=failed, subscription__memberships__user=user)
    return set(own.values_list("pk", flat=True))


def visible_requests(user: User) -> QuerySet[VaultRequest]:
    """The requests that the person may see."""
    if user.sees_all:
        return VaultRequest.objects.all()
    return VaultRequest.objects.filter(subscription__memberships__user=user)


def with_decisions(requests: QuerySet[VaultRequest]) -> QuerySet[VaultRequest]:
    """The requests with all that is shown of them; one more query for their decisions."""
    decisions = Prefetch("decisions", Decision.objects.select_related("by"))
    return requests.select_related("region", "subscription", "requested_by", "vault").prefetch_related(decisions)


def vault_seen_by(actor: Actor, vault_id: UUID) -> Vault:
    """The vault, with its region, subscription and copy; raises NotFound for outsiders."""
    vaults = visible_vaults(actor.person).select_related("region", "subscription", "copy__region")
    vault = vaults.filter(pk=vault_id).first()
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
    request = with_decisions(visible_requests(actor.person)).filter(pk=request_id).first()
    if request is None:
        raise NotFound
    return request


def subscription_named(actor: Actor, name: str) -> Subscription:
    """The subscription of that name that the person may see; raises Invalid, in one way for all others."""
    subscription = subscriptions_seen_by(actor.person).filter(name__iexact=name).first()
    if subscription is None:
        raise Invalid({"subscription": ["Unknown subscription, or you are not a member of it."]})
    return subscription


def region_named(name: str) -> Region:
    """The region of that name, where it takes new vaults; raises Invalid."""
    region = Region.objects.filter(name__iexact=name, enabled=True).first()
    if region is None:
        names = ", ".join(Region.objects.filter(enabled=True).order_by("name").values_list("name", flat=True))
        raise Invalid({"region": [f"Unknown or closed region. Available: {names or 'none'}."]})
    return region


def open_requests(user: User, subscription_id: int | None = None) -> QuerySet[VaultRequest]:
    """Requests that wait for a decision, those that wait longest first, as far as the person sees them."""
    requests = visible_requests(user).filter(state=RequestState.PENDING)
    requests = requests.select_related("region", "subscription", "requested_by")
    if subscription_id is not None:
        requests = requests.filter(subscription_id=subscription_id)
    return requests.order_by("requested_at", "-id")


def count_to_decide(user: User, limit: int) -> int:
    """How many requests wait for a decision that the person may take, counted up to `limit`."""
    if not user.is_approver:
        return 0
    waiting = VaultRequest.objects.filter(state=RequestState.PENDING).exclude(requested_by=user)
    return len(waiting.values_list("pk", flat=True)[:limit])


def decided_requests(user: User, state: str) -> QuerySet[VaultRequest]:
    """Requests in one of the states that end them, as far as the person sees them; unordered."""
    requests = visible_requests(user).filter(state=state)
    return requests.select_related("region", "subscription", "requested_by", "vault")


def vaults_owned(subscription: Subscription) -> int:
    """How many vaults the subscription has that are not removed; counted up to MANY."""
    return Vault.objects.filter(subscription=subscription).exclude(state=VaultState.REMOVED)[:MANY].count()


def recent_outcomes(user: User) -> dict[str, int]:
    """How many requests of the person's last thirty days were approved, and how many rejected."""
    recent = VaultRequest.objects.filter(requested_by=user, requested_at__gte=timezone.now() - timedelta(days=30))
    return recent.aggregate(
        approved=Count("pk", filter=Q(state=RequestState.APPROVED)),
        rejected=Count("pk", filter=Q(state=RequestState.REJECTED)),
    )


def operations_of(vault: Vault) -> QuerySet[Operation]:
    """The work on a vault, the latest first."""
    return Operation.objects.filter(vault=vault).order_by("-started_at", "-id")


def approval_of(vault: Vault) -> Decision | None:
    """The decision that the vault came of; None when no person took it."""
    approvals = Decision.objects.filter(request__vault=vault, verdict=Decision.Verdict.APPROVE)
    return approvals.select_related("by").last()


def activity_of(vault: Vault) -> QuerySet[AuditEvent]:
    """The audit entries of a vault, for the people who see it; unordered."""
    return AuditEvent.objects.filter(vault_id=vault.pk)


def asking_for(vault: Vault) -> QuerySet[AuditEvent]:
    """The audit entries of the request that the vault came of, the latest first: what happened before it was there."""
    asked = VaultRequest.objects.filter(vault=vault).values_list("pk", flat=True)
    keys = [str(key) for key in asked]
    return AuditEvent.objects.filter(target_type="vaultrequest", target_id__in=keys, vault_id=None).order_by("-id")


def credentials_needing(issuer: str, ended: datetime) -> str:
    """How many credentials from before `ended` can still register machines: `1 credential`, or nothing."""
    usable = Credential.objects.filter(
        ended_at=None, expires_at__gt=timezone.now(), machines_used__lt=F("machines_limit")
    )
    old = usable.filter(issued_at__lt=ended).count()
    return f"{old} credential{'s' if old > 1 else ''}" if old else ""
