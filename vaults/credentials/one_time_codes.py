"""One-time codes: shown to a person, and worth a credential for one new machine to the first key that comes with it.

A code stands alone: no download and no other code ends it, and it ends none. What is stored of it is an HMAC.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from portal.accounts.models import User
from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import Actor
from portal.core.errors import NotFound, StaleState, Throttled
from portal.core.times import rfc3339
from vaults.credentials import code_text
from vaults.credentials.issuance import VaultNotActive
from vaults.models import Credential, OneTimeCode, Vault
from vaults.queries import vault_worked_on_by
from vaults.rules import belongs_to
from vaults.states import VaultState

LIFE = timedelta(minutes=10)
MOST_AT_ONCE = 20
"""Codes of one person for one vault that could still be used: more machines than that are a file's work."""
KEPT = timedelta(days=90)


class CodeState(StrEnum):
    """What a code is good for."""

    WAITING = "waiting"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    ENDED = "ended"
    ISSUER_LEFT = "issuer_left"


@dataclass(frozen=True)
class Shown:
    """A new code, and its text: for one page, and for nothing else."""

    code: OneTimeCode
    text: str


def show(vault_id: UUID, *, actor: Actor) -> Shown:
    """A new code for one machine; whoever may download credentials may have one.

    Raises NotFound, NotAllowed, VaultNotActive, and Throttled for a person who has as many as one may have.
    """
    vault = vault_worked_on_by(actor, vault_id)
    text, now = code_text.new(), timezone.now()
    with transaction.atomic():
        locked = Vault.objects.select_for_update(no_key=True).get(pk=vault.pk)
        if locked.state != VaultState.ACTIVE:
            raise VaultNotActive(
                f"{vault.name} is {locked.state}; one-time codes are shown only for Active vaults.",
                remedy="Wait until the vault is Active.",
            )
        _require_few(vault, actor.person, now)
        code = OneTimeCode.objects.create(
            vault=vault, person=actor.person, digest=code_text.digest(text), shown_at=now, expires_at=now + LIFE
        )
        detail = {"vault": vault.name, "expires_at": rfc3339(code.expires_at)}
        record(Action.CODE_SHOW, actor=actor, target=code, detail=detail)
    return Shown(code, code_text.grouped(text))


def _require_few(vault: Vault, person: User, now: datetime) -> None:
    waiting = OneTimeCode.objects.filter(
        vault=vault, person=person, redeemed_at=None, ended_at=None, expires_at__gt=now
    ).order_by("-expires_at")
    first_of_many = waiting[MOST_AT_ONCE - 1 : MOST_AT_ONCE].first()
    if first_of_many is not None:
        raise Throttled(
            f"You have {MOST_AT_ONCE} one-time codes that no machine has used. For many machines download vault"
            " credentials instead: one file is good for up to 500.",
            retry_after=max(1, int((first_of_many.expires_at - now).total_seconds())),
        )


def end(vault_id: UUID, code_id: UUID, *, actor: Actor) -> None:
    """`End now`: the code, and the credential that a machine has got for it and not used, register nobody any more.

    Raises NotFound, NotAllowed, and StaleState when there is nothing left to end.
    """
    vault = vault_worked_on_by(actor, vault_id)
    with transaction.atomic():
        Vault.objects.select_for_update(no_key=True).get(pk=vault.pk)
        now = timezone.now()
        code = OneTimeCode.objects.select_related("credential").filter(pk=code_id, vault=vault).first()
        if code is None:
            raise NotFound("There is no such one-time code.")
        if not could_register(code, now):
            raise StaleState(
                "This one-time code cannot register a machine any more.", remedy="There is nothing to end."
            )
        OneTimeCode.objects.filter(pk=code.pk).update(ended_at=now)
        if code.credential is not None:
            Credential.objects.filter(pk=code.credential.pk).update(ended_at=now, end=Credential.End.ENDED)
        record(Action.CODE_END, actor=actor, target=code, detail={"vault": vault.name})


def could_register(code: OneTimeCode, at: datetime) -> bool:
    """Whether a machine may still come with it, or with the credential that it has got for it."""
    if code.ended_at is not None:
        return False
    if code.credential is None:
        return at < code.expires_at
    return code.credential.machines_used == 0 and at < code.credential.expires_at


def state_of(code: OneTimeCode, at: datetime) -> CodeState:
    """What it is good for; `code` comes with its person and vault."""
    if code.ended_at is not None:
        return CodeState.ENDED
    if code.redeemed_at is not None:
        return CodeState.REDEEMED
    if at >= code.expires_at:
        return CodeState.EXPIRED
    return CodeState.WAITING if is_entitled(code.person, code.vault) else CodeState.ISSUER_LEFT


def is_entitled(person: User, vault: Vault) -> bool:
    """Whether the person whom a code was shown to could have one now: a member, and not shut out."""
    return person.is_active and belongs_to(person, vault.subscription_id)


def newest_of(vault: Vault, person: User) -> OneTimeCode | None:
    """The last code of the vault that the person was shown, with what it became."""
    shown = OneTimeCode.objects.filter(vault=vault, person=person).select_related("credential", "person", "vault")
    return shown.order_by("-shown_at").first()
