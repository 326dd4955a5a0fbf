"""Keeping note of registrations that were refused: for the vault's people, and in the audit log.

Whoever holds a credential, even a dead one, can be refused as often as it likes; so the same refusal is noted once in a
while, and the notes of one credential are capped. The audit log counts by itself what the same stranger repeats.
"""

import logging
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from agents.models import RefusedRegistration
from agents.protocol.messages import NAME
from portal.audit.actions import Action
from portal.audit.record import refusal
from portal.core.actor import Actor, Via
from portal.core.errors import DomainError
from vaults.models import Credential

log = logging.getLogger(__name__)

SAME_AGAIN_AFTER = timedelta(minutes=10)
WINDOW = timedelta(hours=1)
MOST_IN_WINDOW = 100


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
    RefusedRegistration.objects.create(
        vault_id=credential.vault_id,
        credential=credential,
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
    recent = RefusedRegistration.objects.filter(vault_id=credential.vault_id, credential=credential, at__gt=at - WINDOW)
    noted = list(recent.values_list("name", "code", "address", "at")[:MOST_IN_WINDOW])
    same = [when for *what, when in noted if what == [name, code, address]]
    return len(noted) == MOST_IN_WINDOW or any(at - when < SAME_AGAIN_AFTER for when in same)
