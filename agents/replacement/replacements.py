"""Replacing a machine: asked for with a reason, agreed to by a second person, then a credential for that machine alone.

Whoever takes the place of a machine reaches its backups; so nobody decides on a request of their own. Everything here
that changes a request locks the vault's row first, as registrations and revocations do. What the credential then does
is in `agents.enrolment.takeover`. A rule that waives the agreement belongs at the end of `ask`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from agents.models import Machine, ReplacementRequest
from agents.protocol import errors
from agents.queries import machine_worked_on_by
from agents.replacement.events import (
    ReplacementAgreed,
    ReplacementCalledOff,
    ReplacementCancelled,
    ReplacementExpired,
    ReplacementRejected,
    ReplacementRequested,
)
from agents.replacement.queries import (
    downloadable,
    name_taken_by_another,
    open_replacement,
    overdue,
    replacement_seen_by,
    replacements_of,
    second_people,
    with_people,
)
from agents.states import ALLOWED_IN, OPEN, MachineState, ReplacementState
from portal.accounts.models import User
from portal.approvals.policy import Policy, Stage, require_few_open
from portal.approvals.workflow import Workflow
from portal.audit.actions import Action
from portal.audit.transitions import advance
from portal.core import expected as expected_state
from portal.core.actor import Actor
from portal.core.errors import Invalid, NotAllowed, StaleState
from portal.events.event import Event, happened
from portal.pki.crypto import keys
from portal.pki.crypto.keys import PublicKey
from vaults.credentials import issuance, possession, vault_credentials
from vaults.credentials.credential_file import Replaced
from vaults.credentials.issuance import Issued, Terms
from vaults.credentials.possession import Claim
from vaults.models import Credential, Vault
from vaults.rules import require_member, text_problem
from vaults.states import VaultState


class Replacements(Workflow[ReplacementRequest]):
    """A second person agrees; then the one who asked may download a credential, and with it the machine comes back."""

    model = ReplacementRequest
    refused_decision, refused_cancel = Action.REPLACEMENT_DECIDE, Action.REPLACEMENT_CANCEL
    policy = Policy(
        stages=(
            Stage(
                second_people,
                who=lambda asked: (
                    f"Only approvers and members of {asked.machine.vault.subscription.name} decide on it."
                ),
            ),
        )
    )

    def visible_to(self, person: User) -> QuerySet[ReplacementRequest]:
        """Those about machines of the vaults that the person may see."""
        return ReplacementRequest.objects.visible_to(person)

    def shown(self, requests: QuerySet[ReplacementRequest]) -> QuerySet[ReplacementRequest]:
        """The requests with all that is shown of them."""
        return with_people(requests)

    def content(self, request: ReplacementRequest) -> Mapping[str, object]:
        """Which machine, why, and how it is now."""
        return {
            "id": str(request.pk),
            "machine": str(request.machine_id),
            "shut_out": "" if request.machine.state in ALLOWED_IN else request.machine.state,
            "reason": request.reason,
            "requested_by": request.requested_by_id,
        }

    def lock(self, request: ReplacementRequest) -> None:
        """Lock the vault, as whatever shuts a machine out does."""
        Vault.objects.select_for_update(no_key=True).get(pk=request.vault_id)

    def now_is(self, request: ReplacementRequest) -> str:
        """How the machine is now."""
        return f"{request.machine.name} is {request.machine.state}."

    def overdue(self, at: datetime) -> QuerySet[ReplacementRequest]:
        """Undecided ones, and agreements that nobody used."""
        return overdue(at)

    def columns(self, state: str, at: datetime) -> dict[str, Any]:
        """An agreement is decided and goes on; all else has ended."""
        decided = {"decided_at": at} if state in {ReplacementState.APPROVED, ReplacementState.REJECTED} else {}
        return decided | ({} if state == ReplacementState.APPROVED else {"ended_at": at})

    def granted(self, request: ReplacementRequest, actor: Actor, comment: str) -> None:
        """Tell people; the credential is made when it is downloaded."""
        happened(ReplacementAgreed(request, actor.person, comment), actor=actor)

    def closed(self, request: ReplacementRequest, actor: Actor, comment: str) -> None:
        """End the credential, if any, and tell the subscription's people."""
        vault_credentials.end_replacement(request.machine_id, actor=actor)
        happened(_end_of(request, actor, comment), actor=actor)


def _end_of(request: ReplacementRequest, actor: Actor, comment: str) -> Event:
    if request.state == ReplacementState.REJECTED:
        return ReplacementRejected(request, actor.person, comment)
    if request.state == ReplacementState.CANCELLED:
        return ReplacementCancelled(request, actor.person)
    return ReplacementExpired(request)


workflow = Replacements()
for_decision, approve, reject, expire = workflow.for_decision, workflow.approve, workflow.reject, workflow.expire


def shown_to_ask(machine: Machine) -> str:
    """The tag of what a page shows when it offers to ask for a replacement."""
    return expected_state.tag_of(**_state_shown(machine, _latest_ended(machine)))


def request(machine_id: UUID, *, actor: Actor, reason: str, expected: str = "") -> ReplacementRequest:
    """Ask that another computer may take the place of the machine. The same again from the same person is the same.

    `expected` is what `shown_to_ask()` gave for the page. Raises NotFound, NotAllowed, Invalid, VaultNotActive,
    MachineExists when another machine has its name by now, ContentChanged, TooManyOpen, and StaleState when somebody
    else has asked already.
    """
    machine = machine_worked_on_by(actor, machine_id)
    if problem := text_problem(reason, required=True):
        raise Invalid({"reason": [problem]})
    if machine.vault.state != VaultState.ACTIVE:
        raise errors.vault_not_active(machine.vault)
    if name_taken_by_another(machine):
        raise errors.name_taken_since(machine, machine.vault)
    try:
        with transaction.atomic():
            return _open(machine, actor, reason.strip(), expected)
    except IntegrityError as error:
        open_request = open_replacement(machine)
        if open_request is None:
            raise
        if (open_request.requested_by_id, open_request.reason) == (actor.person.pk, reason.strip()):
            return open_request
        raise StaleState(
            f"{open_request.requested_by.display_name} has already requested this.",
            remedy="See the machine's Replace page; the request can be cancelled there.",
        ) from error


def shown(asked: ReplacementRequest) -> str:
    """The tag of what a page shows when it offers to cancel the request."""
    return expected_state.tag_of(request=asked.pk, state=asked.state)


def cancel(request_id: UUID, *, actor: Actor, expected: str = "") -> ReplacementRequest:
    """Take a request back, one's own, or as a member one that was agreed to: its credential registers nobody any more.

    `expected` is what `shown()` gave for the page. Raises NotFound, NotAllowed, ContentChanged, and StaleState when it
    has ended already.
    """
    asked = replacement_seen_by(actor, request_id)
    with workflow.refusals_noted(Action.REPLACEMENT_CANCEL, asked, actor):
        require_member(actor, asked.machine.vault.subscription)
        if asked.state == ReplacementState.PENDING and asked.requested_by_id != actor.person.pk:
            remedy = "" if workflow.why_not(actor, asked) else "You can reject it."
            raise NotAllowed("Only the requester can cancel a request.", remedy=remedy)
    with transaction.atomic():
        asked = _locked(asked)
        if asked.state not in OPEN:
            raise workflow.already(asked)
        now = f"This request is {_label(asked)} by now."
        expected_state.require(expected, now, request=asked.pk, state=asked.state)
        _end(asked, ReplacementState.CANCELLED, actor)
        happened(ReplacementCancelled(asked, actor.person), actor=actor)
    return asked


def issue(request_id: UUID, *, actor: Actor, claim: Claim | None = None) -> Issued:
    """Issue the credential that was agreed to, and end the one issued before, if any.

    With a claim it goes to the key of the claim; without, a key is made here, in memory, and is in the document. Raises
    NotFound, NotAllowed, VaultNotActive, MachineExists, what `possession.proven_key()` raises, and StaleState when
    nobody has agreed, or the agreement has ended.
    """
    asked = replacement_seen_by(actor, request_id)
    with workflow.refusals_noted(Action.REPLACEMENT_DOWNLOAD, asked, actor):
        require_member(actor, asked.machine.vault.subscription)
        if asked.requested_by_id != actor.person.pk:
            raise NotAllowed("Only the requester can download the credentials of a replacement.")
    if claim is None:
        made = keys.new_key()
        return _issue_to(made.public_key(), Credential.KeyOrigin.SERVER, asked, actor).with_private_key(made)
    with possession.proven_key(asked.machine.vault, claim, actor) as key:
        return _issue_to(key, Credential.KeyOrigin.BROWSER, asked, actor)


def call_off(machine: Machine, *, actor: Actor) -> None:
    """The machine was revoked or suspended: what was agreed to before, without knowing of it, no longer counts.

    In the transaction of that, with the vault locked. A request that nobody has decided on stays: whoever decides sees
    that the machine was shut out.
    """
    asked = with_people(ReplacementRequest.objects.filter(machine=machine, state=ReplacementState.APPROVED)).first()
    if asked is not None:
        _end(asked, ReplacementState.CANCELLED, actor)
        happened(ReplacementCalledOff(asked, MachineState(machine.state)), actor=actor)


def _latest_ended(machine: Machine) -> ReplacementRequest | None:
    return replacements_of(machine).exclude(ended_at=None).order_by("-ended_at", "id").first()


def _state_shown(machine: Machine, latest: ReplacementRequest | None) -> dict[str, object]:
    """What somebody should know who asks: how the machine is, and which request for it was the latest to end."""
    return {"machine": machine.pk, "state": machine.state, "latest": latest.pk if latest else ""}


def _require_as_shown(machine: Machine, expected: str) -> None:
    Vault.objects.select_for_update(no_key=True).get(pk=machine.vault_id)
    machine, latest = Machine.objects.get(pk=machine.pk), _latest_ended(machine)
    now = f"{machine.name} is {machine.state}."
    if latest:
        now += f" The last request to replace it was made by {latest.requested_by.display_name}: {_label(latest)}."
    expected_state.require(expected, now, **_state_shown(machine, latest))


def _open(machine: Machine, actor: Actor, reason: str, expected: str) -> ReplacementRequest:
    if expected:
        _require_as_shown(machine, expected)
    waiting = ReplacementRequest.objects.filter(state=ReplacementState.PENDING).exclude(machine=machine)
    require_few_open(actor.person, waiting)
    asked = ReplacementRequest.objects.create(
        machine=machine, reason=reason, requested_by=actor.person, requested_at=timezone.now()
    )
    happened(ReplacementRequested(asked), actor=actor)
    return asked


def _locked(asked: ReplacementRequest) -> ReplacementRequest:
    """The request as it is now, with its vault locked, in the transaction that is open."""
    workflow.lock(asked)
    return with_people(ReplacementRequest.objects.filter(pk=asked.pk)).get()


def _issue_to(key: PublicKey, origin: Credential.KeyOrigin, asked: ReplacementRequest, actor: Actor) -> Issued:
    with transaction.atomic():
        asked = _locked(asked)
        require_member(actor, asked.machine.vault.subscription)  # who may have been taken out while this waited
        if not downloadable(asked):
            raise workflow.already(asked)
        machine = asked.machine
        if name_taken_by_another(machine):
            raise errors.name_taken_since(machine, machine.vault)
        terms = Terms(1, origin, Replaced(machine.pk, machine.name))
        issued = issuance.issue(key, machine.vault, terms, actor)
        ReplacementRequest.objects.filter(pk=asked.pk).update(credential=issued.credential)
    return issued


def _end(asked: ReplacementRequest, state: ReplacementState, actor: Actor) -> None:
    if not ReplacementRequest.STATES.allows(asked.state, state):
        raise workflow.already(asked)
    advance(asked, state, actor=actor, ended_at=timezone.now())
    vault_credentials.end_replacement(asked.machine_id, actor=actor)


def _label(asked: ReplacementRequest) -> str:
    return ReplacementRequest.STATES.looks[asked.state].label.lower()
