"""The states of machines and the legal transitions between them."""

from django.db import models

from portal.transitions import Look, StateTable


class MachineState(models.TextChoices):
    """A machine."""

    REGISTERED = "Registered"
    READY = "Ready"
    SUSPENDED = "Suspended"
    REVOKED = "Revoked"
    UNREGISTERED = "Unregistered"


ALLOWED_IN = frozenset({MachineState.REGISTERED, MachineState.READY})
"""States in which a machine may reach its storage."""

MACHINE = StateTable(
    noun="machine",
    looks={
        MachineState.REGISTERED: Look("Registered", "blue", "Known, but not yet backed up and restored."),
        MachineState.READY: Look("Ready", "green", "Backed up, and a restore was compared."),
        MachineState.SUSPENDED: Look("Suspended", "amber", "Two holders of one identity were seen."),
        MachineState.REVOKED: Look("Revoked", "red", "Locked out of storage."),
        MachineState.UNREGISTERED: Look("Unregistered", "grey", "Has left the vault; its backups are kept."),
    },
    moves={
        MachineState.REGISTERED: frozenset(
            {MachineState.READY, MachineState.SUSPENDED, MachineState.REVOKED, MachineState.UNREGISTERED}
        ),
        MachineState.READY: frozenset({MachineState.SUSPENDED, MachineState.REVOKED, MachineState.UNREGISTERED}),
        MachineState.SUSPENDED: frozenset({MachineState.REGISTERED, MachineState.REVOKED, MachineState.UNREGISTERED}),
        MachineState.REVOKED: frozenset({MachineState.REGISTERED}),
        MachineState.UNREGISTERED: frozenset({MachineState.REGISTERED}),
    },
)
