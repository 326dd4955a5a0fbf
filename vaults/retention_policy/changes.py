"""Changing a vault's retention policy: what keeps at least as much is stored at once, else a second person agrees.

Whoever has taken over one person's account, or makes a mistake, cannot shorten alone what the promise of retention
rests on. Everything here that changes a policy or a request locks the vault's row first.
"""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from portal.accounts.models import User
from portal.approvals.models import Decision
from portal.approvals.policy import Policy, Stage, require_few_open
from portal.approvals.states import RequestState
from portal.approvals.workflow import Workflow
from portal.audit.actions import Action
from portal.core import expected as expected_state
from portal.core.actor import Actor
from portal.core.errors import REVIEW_AGAIN, Invalid, StaleState
from portal.events.event import Event, happened
from vaults.models import RetentionChange, Vault
from vaults.queries import vault_worked_on_by
from vaults.retention_policy.events import (
    RetentionChangeAgreed,
    RetentionChangeCancelled,
    RetentionChanged,
    RetentionChangeExpired,
    RetentionChangeRejected,
    RetentionChangeRequested,
)
from vaults.retention_policy.policy import RetentionPolicy
from vaults.rules import second_people, text_problem
from vaults.states import VaultState

WHY_NEEDED = "Give a reason: something would be kept for less long. Whoever decides reads it."


class RetentionChanges(Workflow[RetentionChange]):
    """A second person agrees, then the weaker policy is stored."""

    model = RetentionChange
    refused_decision, refused_cancel = Action.RETENTION_CHANGE_DECIDE, Action.RETENTION_CHANGE_CANCEL
    policy = Policy(
        stages=(
            Stage(
                lambda asked: second_people(asked.vault.subscription_id),
                who=lambda asked: f"Only approvers and members of {asked.vault.subscription.name} decide on it.",
            ),
        )
    )

    def visible_to(self, person: User) -> QuerySet[RetentionChange]:
        """Those about vaults that the person may see."""
        return RetentionChange.objects.visible_to(person)

    def shown(self, requests: QuerySet[RetentionChange]) -> QuerySet[RetentionChange]:
        """The requests with all that is shown of them."""
        decisions = Prefetch("decisions", Decision.objects.select_related("by"))
        return requests.select_related("vault__subscription", "requested_by").prefetch_related(decisions)

    def content(self, request: RetentionChange) -> Mapping[str, object]:
        """Which vault's policy, from what to what, and why."""
        return {
            "id": str(request.pk),
            "vault": str(request.vault_id),
            "from": request.policy_before,
            "to": request.policy_wanted,
            "reason": request.reason,
            "requested_by": request.requested_by_id,
        }

    def lock(self, request: RetentionChange) -> None:
        """Lock the vault, as whatever changes its policy does."""
        Vault.objects.select_for_update(no_key=True).get(pk=request.vault_id)

    def require_grantable(self, request: RetentionChange) -> None:
        """Raise StaleState when the policy is no longer the one that was to be changed, or the vault not Active."""
        _require_active(request.vault)
        if is_outdated(request):
            raise StaleState(
                f"The retention policy of {request.vault.name} has changed since this was requested.",
                remedy="Reject the request. A new one can be made from the policy as it is now.",
            )

    def granted(self, request: RetentionChange, actor: Actor, comment: str) -> None:
        """Store the policy that was asked for."""
        happened(RetentionChangeAgreed(request), actor=actor)
        _store(request.vault, RetentionPolicy(**request.policy_wanted), actor, request.reason, request)

    def closed(self, request: RetentionChange, actor: Actor, comment: str) -> None:
        """Tell the vault's people."""
        happened(_end_of(request, actor, comment), actor=actor)


def _end_of(request: RetentionChange, actor: Actor, comment: str) -> Event:
    if request.state == RequestState.REJECTED:
        return RetentionChangeRejected(request, actor.person, comment)
    if request.state == RequestState.CANCELLED:
        return RetentionChangeCancelled(request, actor.person)
    return RetentionChangeExpired(request)


workflow = RetentionChanges()
approve, reject, cancel, expire = workflow.approve, workflow.reject, workflow.cancel, workflow.expire


def shown(vault: Vault) -> str:
    """The tag of what a page shows when it offers to change the policy."""
    return expected_state.tag_of(vault=vault.pk, **RetentionPolicy.of(vault).values)


def open_change(vault_id: UUID) -> RetentionChange | None:
    """The request about the vault's policy that waits for a second person, with all that is shown of it."""
    waiting = RetentionChange.objects.filter(vault=vault_id, state=RequestState.PENDING)
    return workflow.shown(waiting).first()


def is_outdated(request: RetentionChange) -> bool:
    """Whether the vault has another policy than the one that the request was to change."""
    return RetentionPolicy.of(request.vault) != RetentionPolicy(**request.policy_before)


def change(
    vault_id: UUID, *, actor: Actor, policy: RetentionPolicy, reason: str = "", expected: str = ""
) -> RetentionChange | None:
    """Give the vault this policy: at once where nothing is weaker, and None; else the request that it became.

    The same again from the same person is the same request, and what is there already changes nothing. `expected` is
    what `shown()` gave for the page. Raises NotFound, NotAllowed, Invalid (with the messages for each number, and for
    the reason, which weakening needs), ContentChanged, TooManyOpen, and StaleState for a vault that is not Active, or
    when somebody has asked already.
    """
    vault_worked_on_by(actor, vault_id)
    policy.require_valid()
    if problem := text_problem(reason):
        raise Invalid({"reason": [problem]})
    with transaction.atomic():
        vault = (
            Vault.objects.select_for_update(of=("self",), no_key=True).select_related("subscription").get(pk=vault_id)
        )
        before = RetentionPolicy.of(vault)
        if policy == before:
            return None
        _require_active(vault)
        now = f"The retention policy of {vault.name} has changed. {before}"
        expected_state.require(expected, now, vault=vault.pk, **before.values)
        if policy.weaker_than(before):
            return _ask(vault, policy, actor, reason.strip())
        _store(vault, policy, actor, reason.strip())
    return None


def _require_active(vault: Vault) -> None:
    if vault.state != VaultState.ACTIVE:
        raise StaleState(
            f"{vault.name} is {vault.state}; its retention policy can be changed only while it is Active.",
            remedy=REVIEW_AGAIN,
        )


def _store(
    vault: Vault, policy: RetentionPolicy, actor: Actor, reason: str, request: RetentionChange | None = None
) -> None:
    before = RetentionPolicy.of(vault)
    Vault.objects.filter(pk=vault.pk).update(**policy.values, updated_at=timezone.now())
    for name, value in policy.values.items():
        setattr(vault, name, value)
    happened(RetentionChanged(vault, before, policy, actor.person, reason, request), actor=actor)


def _ask(vault: Vault, policy: RetentionPolicy, actor: Actor, reason: str) -> RetentionChange:
    if not reason:
        raise Invalid({"reason": [WHY_NEEDED]})
    if waiting := open_change(vault.pk):
        same = (waiting.requested_by_id, waiting.policy_wanted, waiting.reason)
        if same == (actor.person.pk, policy.values, reason):
            return waiting
        raise StaleState(
            f"{waiting.requested_by.display_name} has already requested a weaker policy.",
            remedy="It has to be decided or cancelled first; it is on the vault's Configure tab.",
        )
    others = RetentionChange.objects.filter(state=RequestState.PENDING)
    require_few_open(actor.person, others)
    asked = RetentionChange.objects.create(
        vault=vault,
        policy_before=RetentionPolicy.of(vault).values,
        policy_wanted=policy.values,
        reason=reason,
        requested_by=actor.person,
        requested_at=timezone.now(),
    )
    happened(RetentionChangeRequested(asked), actor=actor)
    return asked
