"""What a machine is told that asks for a newer agent: the newest release, and whether it is to take it yet."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agents.models import AgentRelease, Machine
from agents.monitoring import heartbeats
from agents.packages.releases import newest
from agents.protocol import authentication, entitlement, errors, messages
from agents.protocol.messages import UpdateQuestion
from agents.states import ReleaseState

_SPREAD = 10_000


@dataclass(frozen=True)
class UpdateAnswer:
    """`manifest` as it was signed, None where no release was ever published; `why` not, where it is not to take it."""

    manifest: dict[str, str] | None
    take: bool
    why: str


def answer(body: bytes, *, address: str) -> UpdateAnswer:
    """The answer to a machine. Raises NotAllowed, ClockSkew, Invalid, Throttled."""
    now = timezone.now()
    sender = authentication.sender_of(body, what="update", address=address, at=now)
    entitlement.require_machine(sender.machine, sender.machine.vault)
    entitlement.require_current(sender.certificate, now)
    question = messages.parse(UpdateQuestion, sender.signed.fields)
    with transaction.atomic():
        heartbeats.note(sender.machine, at=now, address=address, agent_version=question.version)
        authentication.spend(sender.signed, at=now, refuse=errors.not_entitled)
    release = newest()
    if release is None:
        return UpdateAnswer(None, False, "No release was published.")
    why = why_not(release, sender.machine)
    return UpdateAnswer(release.manifest, not why, why)


def why_not(release: AgentRelease, machine: Machine) -> str:
    """Why the machine is not to take the release; "" when it is."""
    if release.state == ReleaseState.PAUSED:
        return "it is paused by an administrator."
    if release.state != ReleaseState.OFFERED:
        return "it was withdrawn; a newer one will take its place."
    if place(machine.pk) < release.share * _SPREAD // 100:
        return ""
    if release.subscriptions.filter(pk=machine.vault.subscription_id).exists():
        return ""
    return "machines get it step by step."


def place(machine_id: UUID) -> int:
    """Where a machine stands among all, from 0 to 9,999: the same for each release, so that those who get the next one
    first, and how many they are, is known before."""
    return int.from_bytes(hashlib.sha256(machine_id.bytes).digest()[:8]) % _SPREAD
