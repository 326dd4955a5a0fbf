"""What the people of a vault decide about a machine's stored backups: let its trash be purged, or bring it back."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from agents.monitoring.stored import is_returning
from agents.queries import machine_worked_on_by
from portal.core.actor import Actor
from portal.core.errors import StaleState
from vaults.models import Operation, Vault
from vaults.recovery import bring_back as returning
from vaults.trash import holds


def let_purge(machine_id: UUID, *, actor: Actor, reason: str) -> None:
    """End the hold: what the machine deleted may be purged when its time comes, and a check misses nothing.

    Raises NotFound, NotAllowed, Invalid, and StaleState where nothing is held, or it is being brought back.
    """
    machine = machine_worked_on_by(actor, machine_id)
    with transaction.atomic():
        # With the vault locked, work to bring it back has begun by now, or begins with a hold of its own.
        Vault.objects.select_for_update(no_key=True).get(pk=machine.vault_id)
        if is_returning(machine):
            raise StaleState(
                f"{machine.name} is being brought back to an earlier time.",
                remedy="Decide when that has ended; see the vault's Dashboard.",
            )
        holds.release(machine.vault_id, machine.pk, reason, actor=actor)


def bring_back(machine_id: UUID, *, actor: Actor, as_of: datetime, reason: str) -> Operation:
    """Begin to return the machine's repository as of that time, whatever the machine's state.

    For members of the vault. Raises NotFound, NotAllowed, Invalid, and StaleState while there is other work on the
    vault, or it is not Active.
    """
    machine = machine_worked_on_by(actor, machine_id)
    return returning.start(machine.vault, machine.pk, as_of=as_of, reason=reason, actor=actor)
