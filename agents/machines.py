"""What people and machines themselves do with a registered machine."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agents.models import Machine
from agents.queries import machine_worked_on_by
from agents.states import MachineState
from portal.accounts.actors import Actor
from portal.errors import StaleState
from portal.transitions import advance


def revoke(machine_id: UUID, *, actor: Actor, reason: str) -> None:
    """Lock the machine out of storage, from the next request on.

    Raises NotFound, NotAllowed, and StaleState when somebody was first.
    """
    machine = machine_worked_on_by(actor, machine_id)
    if not Machine.STATES.allows(machine.state, MachineState.REVOKED):
        raise StaleState(f"{machine.name} is {machine.state} already.", remedy="There is nothing to revoke.")
    with transaction.atomic():
        now = timezone.now()
        advance(machine, MachineState.REVOKED, actor=actor, reason=reason, action="machine:revoke", state_reason=reason)
        machine.certificates.filter(revoked_at=None).update(revoked_at=now)
