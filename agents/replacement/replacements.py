"""Replacing a machine: asked for with a reason, agreed to by a second person, then a credential for that machine alone.

Whoever takes the place of a machine reaches its backups; so nobody decides on a request of their own. Everything here
that changes a request locks the vault's row first, as registrations and revocations do. What the credential then does
is in `agents.enrolment.takeover`. A rule that waives the agreement belongs at the end of `ask`.
"""

from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from agents.models import Machine, ReplacementRequest
from agents.protocol import errors
from agents.queries import machine_worked_on_by
from agents.replacement import notices
from agents.replacement.queries import (
    decide_until,
    digest_of,
    downloadable,
    name_taken_by_another,
    open_replacement,
    overdue,
    replacement_seen_by,
    replacements_of,
    why_not_decide,
    with_people,
)
from agents.states import OPEN, ReplacementState
from portal.accounts.rules import require_few_open
from portal.audit.record import record, refusal
from portal.audit.transitions import advance
from portal.core import digests
from portal.core import expected as expected_state
from portal.core.actor import SYSTEM, Actor
from portal.core.errors import ContentChanged, Invalid, NotAllowed, OwnRequest, StaleState
from portal.core.texts import is_blank
from portal.core.times import for_people
from portal.pki.crypto.keys import PublicKey
from vaults.credentials import possession, vault_credentials
from vaults.credentials.document import Replaced
from vaults.credentials.issuance import Issued
from vaults.credentials.possession import Claim
from vaults.models import Credential, Vault
from vaults.rules import require_full, require_member, text_problem
from vaults.states import VaultState


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


def for_decision(request_id: UUID, *, actor: Actor) -> ReplacementRequest:
    """The request, for somebody who may decide on it; raises NotFound, NotAllowed and OwnRequest."""
    asked = replacement_seen_by(actor, request_id)
    require_full(actor)
    if why_not := why_not_decide(actor, asked):
        own = asked.requested_by_id == actor.person.pk
        error = OwnRequest(why_not, remedy="A second person has to decide on it.") if own else NotAllowed(why_not)
        refusal("replacement:decide", actor=actor, target=asked, detail={"code": error.code})
        raise error
    return asked


def approve(request_id: UUID, *, actor: Actor, comment: str, digest: str) -> ReplacementRequest:
    """Agree to exactly what `digest` stands for: for 48 hours the one who asked may download the credential.

    Raises NotFound, NotAllowed, OwnRequest, ContentChanged, Invalid, and StaleState when it has been decided already.
    """
    return _decide(request_id, ReplacementState.APPROVED, actor, comment, digest)


def reject(request_id: UUID, *, actor: Actor, comment: str, digest: str) -> ReplacementRequest:
    """Say no, with a comment that says why. Raises as `approve`."""
    return _decide(request_id, ReplacementState.REJECTED, actor, comment, digest)


def shown(asked: ReplacementRequest) -> str:
    """The tag of what a page shows when it offers to cancel the request."""
    return expected_state.tag_of(request=asked.pk, state=asked.state)


def cancel(request_id: UUID, *, actor: Actor, expected: str = "") -> ReplacementRequest:
    """Take a request back, one's own, or as a member one that was agreed to: its credential registers nobody any more.

    `expected` is what `shown()` gave for the page. Raises NotFound, NotAllowed, ContentChanged, and StaleState when it
    has ended already.
    """
    asked = replacement_seen_by(actor, request_id)
    require_member(actor, asked.machine.vault.subscription)
    if asked.state == ReplacementState.PENDING and asked.requested_by_id != actor.person.pk:
        raise NotAllowed("Only the requester can cancel a request.", remedy="You can reject it.")
    with transaction.atomic():
        asked = _locked(asked)
        if asked.state not in OPEN:
            raise _decided(asked)
        now = f"This request is {_label(asked)} by now."
        expected_state.require(expected, now, request=asked.pk, state=asked.state)
        _end(asked, ReplacementState.CANCELLED, actor)
        notices.cancelled(asked, actor)
    return asked


def issue(request_id: UUID, *, actor: Actor, claim: Claim | None = None) -> Issued:
    """Issue the credential that was agreed to, and end the one issued before, if any.

    With a claim it goes to the key of the claim; without, a key is made here, in memory, and is in the document. Raises
    NotFound, NotAllowed, VaultNotActive, MachineExists, what `challenges.with_claim()` raises, and StaleState when
    nobody has agreed, or the agreement has ended.
    """
    asked = replacement_seen_by(actor, request_id)
    require_member(actor, asked.machine.vault.subscription)
    if asked.requested_by_id != actor.person.pk:
        raise NotAllowed("Only the requester can download the credentials of a replacement.")
    if claim is None:
        return vault_credentials.with_key(partial(_issue_to, asked, actor, Credential.KeyOrigin.SERVER))
    to_key = partial(_issue_to, asked, actor, Credential.KeyOrigin.BROWSER)
    return possession.with_claim(asked.vault_id, claim, actor=actor, issue_to_key=to_key)


def call_off(machine: Machine, *, actor: Actor) -> None:
    """Somebody has shut the machine out: what was agreed to before no longer counts.

    In the transaction of that, with the vault locked. A request that nobody has decided on stays: whoever decides sees
    that the machine was shut out.
    """
    asked = with_people(ReplacementRequest.objects.filter(machine=machine, state=ReplacementState.APPROVED)).first()
    if asked is not None:
        _end(asked, ReplacementState.CANCELLED, actor)
        notices.called_off(asked)


def expire(limit: int) -> int:
    """End requests that nobody decided, and agreements that nobody used, in time; at most `limit`, gives how many."""
    now, ended = timezone.now(), 0
    for each in overdue(now).select_related("machine").order_by("requested_at")[:limit]:
        with transaction.atomic():
            _lock_vault(each)
            asked = with_people(overdue(now).filter(pk=each.pk)).first()
            if asked is None:
                continue  # decided or used this very moment: an agreement of now has its time before it
            _end(asked, ReplacementState.EXPIRED, SYSTEM)
            notices.expired(asked)
        ended += 1
    return ended


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
    record("replacement:ask", actor=actor, target=asked, detail={"machine": str(machine.pk), "reason": reason})
    notices.waiting(asked)
    return asked


def _decide(request_id: UUID, verdict: ReplacementState, actor: Actor, comment: str, digest: str) -> ReplacementRequest:
    asked = for_decision(request_id, actor=actor)
    if problem := text_problem(comment):
        raise Invalid({"comment": [problem]})
    if verdict == ReplacementState.REJECTED and is_blank(comment):
        raise Invalid({"comment": ["Give a reason, so that the requester can act on it."]})
    with transaction.atomic():
        asked, now = _locked(asked), timezone.now()
        _require_decidable(asked, digest, now)
        ended_at = now if verdict == ReplacementState.REJECTED else None
        advance(
            asked,
            verdict,
            actor=actor,
            detail={"digest": digest, "comment": comment.strip()},
            decided_by=actor.person,
            decided_at=now,
            comment=comment.strip(),
            ended_at=ended_at,
        )
        notices.decided(asked)
    return asked


def _require_decidable(asked: ReplacementRequest, digest: str, now: datetime) -> None:
    if asked.state != ReplacementState.PENDING:
        raise _decided(asked)
    if now >= (until := decide_until(asked)):  # the sweep has not come by yet
        raise StaleState(
            f"The time to decide ended at {for_people(until)}.", remedy="Request it again if it is still needed."
        )
    if not digests.same(digest, digest_of(asked)):
        raise ContentChanged(
            f"The request has changed since you opened it: {asked.machine.name} is {asked.machine.state}.",
            remedy="Review the request again, then decide.",
        )


def _lock_vault(asked: ReplacementRequest) -> None:
    Vault.objects.select_for_update(no_key=True).get(pk=asked.vault_id)


def _locked(asked: ReplacementRequest) -> ReplacementRequest:
    """The request as it is now, with its vault locked, in the transaction that is open."""
    _lock_vault(asked)
    return with_people(ReplacementRequest.objects.filter(pk=asked.pk)).get()


def _issue_to(asked: ReplacementRequest, actor: Actor, origin: Credential.KeyOrigin, key: PublicKey) -> Issued:
    with transaction.atomic():
        asked = _locked(asked)
        if not downloadable(asked):
            raise _decided(asked)
        machine = asked.machine
        if name_taken_by_another(machine):
            raise errors.name_taken_since(machine, machine.vault)
        issued = vault_credentials.issue_replacement_to(
            key, asked.vault_id, actor=actor, replaced=Replaced(machine.pk, machine.name), key_origin=origin
        )
        ReplacementRequest.objects.filter(pk=asked.pk).update(credential=issued.credential)
    return issued


def _end(asked: ReplacementRequest, state: ReplacementState, actor: Actor) -> None:
    if not ReplacementRequest.STATES.allows(asked.state, state):
        raise _decided(asked)
    advance(asked, state, actor=actor, ended_at=timezone.now())
    vault_credentials.end_replacement(asked.machine_id, actor=actor)


def _decided(asked: ReplacementRequest) -> StaleState:
    return StaleState(f"This request is already {_label(asked)}.", remedy="Reload the page and review it.")


def _label(asked: ReplacementRequest) -> str:
    return ReplacementRequest.STATES.looks[asked.state].label.lower()
