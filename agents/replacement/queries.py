"""Requests to replace a machine, as people see them: which there are, who may decide, and until when."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from agents.models import Machine, ReplacementRequest
from agents.states import ALLOWED_IN, OPEN, MachineState, ReplacementState
from portal.accounts.models import Membership, User
from portal.core.actor import Actor
from portal.core.digests import digest
from portal.core.errors import NotFound
from vaults.rules import OPEN_FOR, is_member

AGREED_FOR = timedelta(hours=48)
"""How long after the agreement a credential can be downloaded; it lives 48 hours itself."""


def with_people(requests: QuerySet[ReplacementRequest]) -> QuerySet[ReplacementRequest]:
    """The requests with all that is shown of them."""
    return requests.select_related("machine__vault__subscription", "requested_by", "decided_by", "credential")


def replacement_seen_by(actor: Actor, request_id: UUID) -> ReplacementRequest:
    """The request, with what is shown of it; raises NotFound for outsiders."""
    asked = with_people(ReplacementRequest.objects.visible_to(actor.person)).filter(pk=request_id).first()
    if asked is None:
        raise NotFound
    return asked


def replacements_of(machine: Machine) -> QuerySet[ReplacementRequest]:
    """The requests about a machine; unordered."""
    return with_people(ReplacementRequest.objects.filter(machine=machine))


def open_replacement(machine: Machine) -> ReplacementRequest | None:
    """The request about the machine that may still lead to a replacement; there is one at most."""
    return replacements_of(machine).filter(state__in=OPEN).first()


def times_replaced(machine: Machine) -> int:
    """How often another computer has taken the place of the machine."""
    return ReplacementRequest.objects.filter(machine=machine, state=ReplacementState.USED).count()


def with_replacement_asked(machines: QuerySet[Machine]) -> QuerySet[Machine]:
    """The machines, each with `replacement_asked`: whether a request waits for a second person."""
    waiting = ReplacementRequest.objects.filter(machine=OuterRef("pk"), state=ReplacementState.PENDING)
    return machines.annotate(replacement_asked=Exists(waiting))


def overdue(at: datetime) -> QuerySet[ReplacementRequest]:
    """Requests that nobody decided in time, and agreements without a credential that could still be used."""
    undecided = Q(state=ReplacementState.PENDING, requested_at__lt=at - OPEN_FOR)
    useless = Q(credential=None) | Q(credential__expires_at__lt=at)
    return ReplacementRequest.objects.filter(
        undecided | Q(useless, state=ReplacementState.APPROVED, decided_at__lt=at - AGREED_FOR)
    )


def name_taken_by_another(machine: Machine) -> bool:
    """Whether the machine has left and another one has its name by now, so that it cannot come back."""
    others = Machine.objects.filter(vault_id=machine.vault_id, name_key=machine.name_key).exclude(pk=machine.pk)
    return others.exclude(state=MachineState.UNREGISTERED).exists()


def digest_of(asked: ReplacementRequest) -> str:
    """The SHA-256 of all that is agreed to, in a canonical form; also whether, and how, the machine was shut out."""
    content = {
        "id": str(asked.pk),
        "machine": str(asked.machine_id),
        "shut_out": "" if asked.machine.state in ALLOWED_IN else asked.machine.state,
        "reason": asked.reason,
        "requested_by": asked.requested_by_id,
    }
    return digest(content)


def decide_until(asked: ReplacementRequest) -> datetime:
    """When the request expires if nobody decides."""
    return asked.requested_at + OPEN_FOR


def download_until(asked: ReplacementRequest) -> datetime | None:
    """Until when the credential can be downloaded; None unless it was agreed to."""
    return asked.decided_at + AGREED_FOR if asked.decided_at and asked.state == ReplacementState.APPROVED else None


def downloadable(asked: ReplacementRequest) -> bool:
    """Whether the one who asked can download the credential now."""
    until = download_until(asked)
    return until is not None and timezone.now() < until


def why_not_decide(actor: Actor, asked: ReplacementRequest) -> str:
    """Why the person is not one of those who decide on the request; "" when they are.

    Members know whether the machine is really gone, approvers are there where a subscription has one member only. Both
    are somebody else than the one who asked, and backups are encrypted with a passphrase that neither decision gives.
    """
    if asked.requested_by_id == actor.person.pk:
        return "You requested it yourself."
    if actor.person.is_approver or is_member(actor, asked.machine.vault.subscription_id):
        return ""
    return f"Only approvers and members of {asked.machine.vault.subscription.name} decide on it."


def decidable_by(user_id: int, *, is_approver: bool) -> QuerySet[ReplacementRequest]:
    """The requests that wait for a second person and on which this one may decide, as `why_not_decide` has it."""
    waiting = ReplacementRequest.objects.filter(state=ReplacementState.PENDING).exclude(requested_by=user_id)
    return waiting if is_approver else waiting.of_member(user_id)


def deciders(asked: ReplacementRequest) -> QuerySet[User]:
    """The people who can decide on the request."""
    members = Membership.objects.filter(subscription_id=asked.machine.vault.subscription_id).values("user_id")
    people = User.objects.filter(Q(is_approver=True) | Q(pk__in=members), is_active=True)
    return people.exclude(pk=asked.requested_by_id).order_by("username")
