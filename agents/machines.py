"""What people and machines themselves do with a registered machine: revoke, heartbeat, unregister."""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agents.enrolment.events import MachineUnregistered
from agents.models import Machine
from agents.monitoring import heartbeats, schedules
from agents.protocol import authentication, certificates, entitlement, errors, messages
from agents.protocol.messages import Heartbeat
from agents.queries import machine_worked_on_by
from agents.replacement import replacements
from agents.replacement.queries import times_replaced
from agents.states import MachineState
from portal.audit.actions import Action
from portal.audit.transitions import advance
from portal.core import expected as expected_state
from portal.core.actor import Actor
from portal.core.errors import Invalid, StaleState
from portal.events.event import happened
from vaults.integrity import losses
from vaults.models import Vault
from vaults.rules import text_problem


@dataclass(frozen=True)
class HeartbeatAnswer:
    """What a machine is told for its heartbeat: its state, whether it is time to renew, and whether its repository
    is known to be damaged."""

    state: str
    renew: bool
    damaged: bool


def shown(machine: Machine) -> str:
    """The tag of what a page shows when it offers to revoke: which computer the machine is."""
    return expected_state.tag_of(machine=machine.pk, replaced=times_replaced(machine))


def revoke(machine_id: UUID, *, actor: Actor, reason: str, expected: str = "") -> None:
    """Lock the machine out of storage, from the next request on; a replacement that was agreed to is called off.

    `expected` is what `shown()` gave for the page. Raises NotFound, NotAllowed, Invalid, ContentChanged when another
    computer has taken its place since, and StaleState when it is locked out already.
    """
    machine = machine_worked_on_by(actor, machine_id)
    if problem := text_problem(reason, required=True, limit=500):
        raise Invalid({"reason": [problem]})
    with transaction.atomic():
        # With the vault locked, a replacement at the same moment has happened by now or never will.
        Vault.objects.select_for_update(no_key=True).get(pk=machine.vault_id)
        machine.refresh_from_db(fields=["state"])
        if not Machine.STATES.allows(machine.state, MachineState.REVOKED):
            raise StaleState(f"{machine.name} is {machine.state} already.", remedy="There is nothing to revoke.")
        now = f"Another computer has taken the place of {machine.name} since."
        expected_state.require(expected, now, machine=machine.pk, replaced=times_replaced(machine))
        _leave(machine, MachineState.REVOKED, actor=actor, action=Action.MACHINE_REVOKE, reason=reason)
        replacements.call_off(machine, actor=actor)


def heartbeat(body: bytes, *, address: str) -> HeartbeatAnswer:
    """Note that the machine lives, and with which versions. Raises NotAllowed, ClockSkew, Invalid, Throttled."""
    now = timezone.now()
    sender = authentication.sender_of(body, what="heartbeat", address=address, at=now)
    machine, certificate = sender.machine, sender.certificate
    entitlement.require_machine(machine, machine.vault)
    entitlement.require_current(certificate, now)
    message = messages.parse(Heartbeat, sender.signed.fields)
    platform = {**machine.platform, "engine": message.engine_version}
    facts = {"agent_version": message.agent_version, "platform": platform, **message.facts_of_update}
    with transaction.atomic():
        heartbeats.note(machine, at=now, address=address, **facts)
        if message.tells_of_schedule:
            schedules.note(machine, message.promised_hours, actor=sender.actor, at=now)
        authentication.spend(sender.signed, at=now, refuse=errors.not_entitled)
    renew = now >= certificates.renew_after(certificate)
    return HeartbeatAnswer(machine.state, renew, losses.known_to_be_damaged(machine.pk))


def unregister(body: bytes, *, address: str) -> None:
    """Take the machine out of its vault because it asks to; its backups stay. Harmless when it has left already.

    Raises NotAllowed, ClockSkew, and StaleState when somebody changed the machine at the same moment.
    """
    now = timezone.now()
    sender = authentication.sender_of(body, what="unregister", address=address, at=now)
    machine = sender.machine
    if machine.state == MachineState.UNREGISTERED:
        return
    entitlement.require_machine(machine, machine.vault)
    with transaction.atomic():
        # With both locked, the certificate has been renewed by now, or has died by a replacement, or neither happens.
        Vault.objects.select_for_update(no_key=True).get(pk=machine.vault_id)
        Machine.objects.select_for_update(no_key=True).get(pk=machine.pk)
        sender.certificate.refresh_from_db(fields=["revoked_at", "superseded_at"])
        entitlement.require_current(sender.certificate, now)
        authentication.spend(sender.signed, at=now, refuse=errors.not_entitled)
        _leave(machine, MachineState.UNREGISTERED, actor=sender.actor, action=Action.MACHINE_UNREGISTER, reason="")
        happened(MachineUnregistered(machine, address), actor=sender.actor)


def _leave(machine: Machine, to: MachineState, *, actor: Actor, action: Action, reason: str) -> None:
    """The vault first, then the machine, then its certificates: the order in which everybody locks them."""
    Vault.objects.filter(pk=machine.vault_id).update(machine_count=F("machine_count") - 1, updated_at=timezone.now())
    advance(machine, to, actor=actor, action=action, reason=reason, state_reason=reason)
    certificates.revoke_all(machine, at=timezone.now())
