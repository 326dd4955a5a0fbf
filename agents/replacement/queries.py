"""Requests to replace a machine, as people see them: which there are, who may decide, and until when."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone

from agents.models import Machine, ReplacementRequest
from agents.states import OPEN, MachineState, ReplacementState
from portal.accounts.models import User
from portal.approvals.models import Decision
from portal.approvals.policy import OPEN_FOR
from portal.core.actor import Actor
from portal.core.errors import NotFound
from vaults import rules

AGREED_FOR = timedelta(hours=48)
"""How long after the agreement a credential can be downloaded; it lives 48 hours itself."""


def with_people(requests: QuerySet[ReplacementRequest]) -> QuerySet[ReplacementRequest]:
    """The requests with all that is shown of them."""
    decisions = Prefetch("decisions", Decision.objects.select_related("by"))
    rows = requests.select_related("machine__vault__subscription", "requested_by", "credential")
    return rows.prefetch_related(decisions)


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


def download_until(asked: ReplacementRequest) -> datetime | None:
    """Until when the credential can be downloaded; None unless it was agreed to."""
    return asked.decided_at + AGREED_FOR if asked.decided_at and asked.state == ReplacementState.APPROVED else None


def downloadable(asked: ReplacementRequest) -> bool:
    """Whether the one who asked can download the credential now."""
    until = download_until(asked)
    return until is not None and timezone.now() < until


def decidable_by(user_id: int, *, is_approver: bool) -> QuerySet[ReplacementRequest]:
    """The requests that wait for a second person, on which this one may decide as one of `second_people()`."""
    waiting = ReplacementRequest.objects.filter(state=ReplacementState.PENDING).exclude(requested_by=user_id)
    return waiting if is_approver else waiting.of_member(user_id)


def second_people(asked: ReplacementRequest) -> QuerySet[User]:
    """Who may decide on the request, when somebody else has asked; unordered.

    Members know whether the machine is really gone. Backups are encrypted with a passphrase that neither decision
    gives.
    """
    return rules.second_people(asked.machine.vault.subscription_id)
