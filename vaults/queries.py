"""Reading: one request or vault, fetched with the check of access in one step, and what lists and pages need of them.

An outsider gets NotFound, so that nobody learns what exists; a member without the right NotAllowed.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Count, Exists, F, Model, OuterRef, Prefetch, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat
from django.db.models.lookups import In
from django.utils import timezone

from portal.accounts.models import Membership, Subscription, User
from portal.approvals.models import Decision
from portal.approvals.states import RequestState
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import Invalid, NotFound
from portal.core.prepared import prepared
from portal.templatetags.amounts import plural
from portal.web.navigation import MOST
from vaults.models import Credential, Operation, Region, Vault, VaultRequest
from vaults.rules import require_member
from vaults.states import OperationState, VaultState

Row = TypeVar("Row", bound=Model)
MANY = 1000
"""Where counting ends: more than this is "many"."""
FEW = 2_000
"""So many rows are gathered and sorted faster than found on a walk through all of them in the order of the list."""
OPERATIONS_SHOWN = 5
REQUEST_ORDERS = {"when": ("requested_at", "-id"), "name": ("name_key", "id")}
"""What lists of requests are sorted by: word in the address, columns, each of them with an index for each state."""


def own_subscriptions(user: User) -> QuerySet[Subscription]:
    """The subscriptions that the person belongs to, and so may ask for vaults in."""
    return Subscription.objects.filter(memberships__user=user)


def sees_many(user: User, model: type[Model]) -> bool:
    """Whether the person, who does not see all, sees so many vaults or requests that `walked` finds fifty of them in an
    order sooner than `visible_to()` does. One query, none for those who see all.
    """
    return not user.sees_all and bool(_AS_MANY_AS[model](user.pk, number=FEW))


def walked(user_id: int, model: type[Row]) -> QuerySet[Row]:
    """What a member sees, as a walk in the order of the list that asks of each row whether it is theirs.

    A database without statistics would always go from the person's subscriptions to their rows and sort them.
    """
    theirs = Membership.objects.filter(user=user_id, subscription=OuterRef("subscription_id"))
    return model._default_manager.filter(Exists(theirs))


@prepared
def _as_many_vaults(user_id: int, *, number: int) -> QuerySet[Vault, int]:
    """A row if the person sees so many."""
    theirs = Vault.objects.filter(subscription__memberships__user=user_id)
    return theirs.values_list("subscription_id", flat=True)[number - 1 : number]


@prepared
def _as_many_requests(user_id: int, *, number: int) -> QuerySet[VaultRequest, int]:
    """The same of requests."""
    theirs = VaultRequest.objects.filter(subscription__memberships__user=user_id)
    return theirs.values_list("subscription_id", flat=True)[number - 1 : number]


_AS_MANY_AS: dict[type[Model], prepared[Any, int]] = {Vault: _as_many_vaults, VaultRequest: _as_many_requests}


def failed_own(user: User, vaults: Iterable[Vault]) -> dict[UUID, Operation]:
    """The latest work on those of the vaults, all seen by the person, that failed and are the person's to try again;
    of the work no more than its key. No query, but one where something failed.
    """
    failed = [vault.pk for vault in vaults if vault.state == VaultState.FAILED]
    if not failed:
        return {}
    return {one.vault_id: one for one in _failed_last(user.pk, *failed, only_own=user.sees_all)}


@prepared
def _failed_last(user_id: int, *vault_ids: UUID, only_own: bool) -> QuerySet[Operation]:
    """The latest work on those vaults, where it failed; `only_own` leaves others' out, for people who see all."""
    latest = Operation.objects.filter(vault=OuterRef("vault")).order_by("-started_at", "-id").values("pk")[:1]
    work = Operation.objects.filter(In(F("vault_id"), vault_ids), pk=Subquery(latest), state=OperationState.FAILED)
    if only_own:
        work = work.filter(vault__subscription__memberships__user=user_id)
    return work.only("vault_id").order_by()


def with_names(requests: QuerySet[VaultRequest]) -> QuerySet[VaultRequest]:
    """The requests with what they name."""
    return requests.select_related("region", "subscription", "requested_by")


def with_decisions(requests: QuerySet[VaultRequest]) -> QuerySet[VaultRequest]:
    """The requests with all that is shown of them; one more query for their decisions."""
    decisions = Prefetch("decisions", Decision.objects.select_related("by"))
    return with_names(requests).select_related("vault").prefetch_related(decisions)


def vault_seen_by(actor: Actor, vault_id: UUID) -> Vault:
    """The vault, with its region, subscription and copy; raises NotFound for outsiders."""
    found = _any_vault.first(vault_id) if actor.person.sees_all else _own_vault.first(vault_id, actor.person.pk)
    if found is None:
        raise NotFound
    return found


@prepared
def _any_vault(vault_id: UUID) -> QuerySet[Vault]:
    return Vault.objects.select_related("region", "subscription", "copy__region").filter(pk=vault_id)


@prepared
def _own_vault(vault_id: UUID, user_id: int) -> QuerySet[Vault]:
    vaults = Vault.objects.select_related("region", "subscription", "copy__region")
    return vaults.filter(subscription__memberships__user=user_id, pk=vault_id)


def vault_worked_on_by(actor: Actor, vault_id: UUID) -> Vault:
    """The vault, for somebody who wants to change it; raises NotFound for outsiders, NotAllowed for onlookers."""
    vault = vault_seen_by(actor, vault_id)
    require_member(actor, vault.subscription)
    return vault


def request_seen_by(actor: Actor, request_id: UUID) -> VaultRequest:
    """The request, with what its page shows; raises NotFound for outsiders."""
    request = with_decisions(VaultRequest.objects.visible_to(actor.person)).filter(pk=request_id).first()
    if request is None:
        raise NotFound
    return request


def subscription_named(actor: Actor, name: str) -> Subscription:
    """The subscription of that name that the person may see; raises Invalid, in one way for all others."""
    subscription = Subscription.objects.visible_to(actor.person).filter(name__iexact=name).first()
    if subscription is None:
        raise Invalid({"subscription": ["Unknown subscription, or you are not a member."]})
    return subscription


def region_named(name: str) -> Region:
    """The region of that name, where it takes new vaults; raises Invalid."""
    region = Region.objects.filter(name__iexact=name, enabled=True).first()
    if region is None:
        names = ", ".join(Region.objects.filter(enabled=True).order_by("name").values_list("name", flat=True))
        raise Invalid({"region": [f"Unknown or closed region. Available: {names or 'none'}."]})
    return region


def open_requests(user: User, subscription_id: int | None = None) -> QuerySet[VaultRequest]:
    """Requests that wait for a decision, as far as the person sees them; unordered."""
    requests = with_names(VaultRequest.objects.visible_to(user).filter(state=RequestState.PENDING))
    if subscription_id is not None:
        requests = requests.filter(subscription_id=subscription_id)
    return requests


@prepared
def first_open_requests(
    user_id: int, subscription_id: int, *, everybody: bool, of_one: bool, most: int
) -> QuerySet[VaultRequest]:
    """Those that have waited longest; `everybody` ignores the first of the keys, and all but `of_one` the second."""
    requests = with_names(VaultRequest.objects.filter(state=RequestState.PENDING))
    if not everybody:
        requests = requests.filter(subscription__memberships__user=user_id)
    if of_one:
        requests = requests.filter(subscription=subscription_id)
    return requests.order_by("requested_at", "-id")[:most]


@prepared
def region_names() -> QuerySet[Region]:
    """All regions, by name; no more of them than the name."""
    return Region.objects.only("name")


def count_to_decide(user: User, limit: int) -> int:
    """How many requests wait for a decision that the person may take, counted up to `limit` and MOST + 1."""
    if not user.is_approver:
        return 0
    return len(_to_decide(user.pk)[:limit])


@prepared
def _to_decide(user_id: int) -> QuerySet[VaultRequest, UUID]:
    waiting = VaultRequest.objects.filter(state=RequestState.PENDING).exclude(requested_by=user_id)
    return waiting.values_list("pk", flat=True)[: MOST + 1]


def requests_in_state(user: User, state: str) -> QuerySet[VaultRequest]:
    """The requests in that state that the person may see, for pages in one of REQUEST_ORDERS; unordered."""
    seen = VaultRequest.objects.visible_to(user)
    if user.sees_all or state == RequestState.PENDING:  # of which there are never many
        return seen.filter(state=state)
    if sees_many(user, VaultRequest):
        return walked(user.pk, VaultRequest).filter(state=state)
    # By an expression that no index offers itself for: the database would read all requests in this state instead.
    gathered = seen.alias(in_state=Concat("state", Value(""))).filter(in_state=state)
    return VaultRequest.objects.filter(pk__in=gathered.values("pk"))


def vaults_owned(subscription: Subscription) -> int:
    """How many vaults the subscription has that are not removed; counted up to MANY."""
    return Vault.objects.filter(subscription=subscription).exclude(state=VaultState.REMOVED)[:MANY].count()


def recent_decisions(user: User, *, seen_by: User) -> dict[str, int]:
    """How many requests of the person's last thirty days were approved, and how many rejected, of those that `seen_by`
    sees.
    """
    seen = VaultRequest.objects.visible_to(seen_by)
    recent = seen.filter(requested_by=user, requested_at__gte=timezone.now() - timedelta(days=30))
    return recent.aggregate(
        approved=Count("pk", filter=Q(state=RequestState.APPROVED)),
        rejected=Count("pk", filter=Q(state=RequestState.REJECTED)),
    )


def operations_of(vault: Vault) -> QuerySet[Operation]:
    """The work on a vault, the latest first."""
    return Operation.objects.filter(vault=vault).order_by("-started_at", "-id")


@prepared
def last_operations(vault_id: UUID) -> QuerySet[Operation]:
    """The latest work on a vault, as the Dashboard shows it."""
    return Operation.objects.filter(vault=vault_id).order_by("-started_at", "-id")[:OPERATIONS_SHOWN]


def approval_of(vault: Vault) -> Decision | None:
    """The last of the decisions that the vault came of; None when no person took one."""
    return _approvals.first(vault.pk)


@prepared
def _approvals(vault_id: UUID) -> QuerySet[Decision]:
    asked = VaultRequest.objects.filter(vault=vault_id).values("pk")
    approvals = Decision.objects.filter(request_id__in=asked, verdict=Decision.Verdict.APPROVE)
    return approvals.select_related("by").order_by("-pk")[:1]


def activity_of(vault: Vault) -> QuerySet[AuditEvent]:
    """The audit entries of a vault, for the people who see it; unordered."""
    return AuditEvent.objects.filter(vault_id=vault.pk)


def entries_of_request(vault: Vault) -> QuerySet[AuditEvent]:
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
    return plural(old, "credential") if old else ""
