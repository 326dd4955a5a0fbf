"""Keeping note of registrations that were refused: for the vault's people, and in the audit log.

Whoever holds a credential, even a dead one, can be refused as often as it likes; so the same refusal is noted once in a
while, and the notes of one credential are capped. The audit log counts by itself what the same stranger repeats.
"""

import logging
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from agents.models import RefusedRegistration
from agents.protocol.messages import NAME
from portal.audit.actions import Action
from portal.audit.record import refusal
from portal.core.actor import Actor, Via
from portal.core.errors import DomainError
from vaults.models import Credential, OneTimeCode, Vault

log = logging.getLogger(__name__)

SAME_AGAIN_AFTER = timedelta(minutes=10)
WINDOW = timedelta(hours=1)
MOST_IN_WINDOW = 100
MOST_OF_STRANGERS = 10
"""With codes that are none, for one vault."""


def note(
    credential: Credential, fields: Mapping[str, object], refused: DomainError, *, address: str, at: datetime
) -> None:
    """Note that a registration with `credential` was refused; call it after the roll-back."""
    name = _name(fields)
    if _noted_enough(credential, name, refused.code, address, at):
        log.info("Registration refused again: %s, credential %s, from %s", refused.code, credential.serial, address)
        return
    actor = Actor(label=f"machine {name}".strip(), via=Via.AGENT, address=address)
    detail = {"code": refused.code, "credential": credential.serial, "name": name}
    refusal(Action.MACHINE_REGISTER, actor=actor, target=credential, detail=detail)
    _show(credential.vault_id, name, refused, address, at, credential=credential)


def note_code(code: OneTimeCode, name: str, refused: DomainError, *, address: str, at: datetime) -> None:
    """Note that a code of ours was not redeemed; call it after the roll-back."""
    if _among(RefusedRegistration.objects.filter(one_time_code=code), name, refused.code, address, at):
        log.info("Redemption refused again: %s, %s, from %s", refused.code, code, address)
        return
    actor = Actor(label=f"machine {name}", via=Via.AGENT, address=address)
    refusal(Action.CODE_REDEEM, actor=actor, target=code, detail={"code": refused.code, "name": name})
    _show(code.vault_id, name, refused, address, at, one_time_code=code)


def note_wrong_code(vault_id: UUID, name: str, refused: DomainError, *, address: str, at: datetime) -> None:
    """Note that somebody came with a code that is none. Its people see that only while they wait for a machine: else
    whoever knows the vault's id could fill their page."""
    actor = Actor(label=f"machine {name}", via=Via.AGENT, address=address)
    vault = Vault.objects.filter(pk=vault_id).first()
    refusal(Action.CODE_REDEEM, actor=actor, target=vault, detail={"code": refused.code, "name": name})
    waiting = OneTimeCode.objects.filter(vault=vault_id, redeemed_at=None, ended_at=None, expires_at__gt=at)
    strangers = RefusedRegistration.objects.filter(vault=vault_id, credential=None, one_time_code=None)
    if waiting.exists() and not _among(strangers, name, refused.code, address, at, most=MOST_OF_STRANGERS):
        _show(vault_id, name, refused, address, at)


def _show(
    vault_id: UUID,
    name: str,
    refused: DomainError,
    address: str,
    at: datetime,
    *,
    credential: Credential | None = None,
    one_time_code: OneTimeCode | None = None,
) -> None:
    """For the vault's people, on its Quick Start page."""
    RefusedRegistration.objects.create(
        vault_id=vault_id,
        credential=credential,
        one_time_code=one_time_code,
        name=name,
        address=address,
        code=refused.code,
        message=refused.detail[:500],
        at=at,
    )


def note_stranger(what: str, refused: DomainError, *, address: str) -> None:
    """Note that a message was refused that none of our credentials or machines has signed."""
    log.info("Message for %s refused, from %s: %s", what, address, refused.message)
    actor = Actor(label="unknown", via=Via.AGENT, address=address)
    refusal(Action.AGENT_MESSAGE_REFUSE, actor=actor, detail={"endpoint": what, "reason": refused.message})


def _name(fields: Mapping[str, object]) -> str:
    name = fields.get("name")
    return name if isinstance(name, str) and re.fullmatch(NAME, name) else ""


def _noted_enough(credential: Credential, name: str, code: str, address: str, at: datetime) -> bool:
    recent = RefusedRegistration.objects.filter(vault_id=credential.vault_id, credential=credential)
    return _among(recent, name, code, address, at)


def _among(
    before: QuerySet[RefusedRegistration],
    name: str,
    code: str,
    address: str,
    at: datetime,
    *,
    most: int = MOST_IN_WINDOW,
) -> bool:
    """Whether the same was noted just now, or so much that no more is."""
    noted = list(before.filter(at__gt=at - WINDOW).values_list("name", "code", "address", "at")[:most])
    same = [when for *what, when in noted if what == [name, code, address]]
    return len(noted) == most or any(at - when < SAME_AGAIN_AFTER for when in same)
