"""The states of machines and of requests to replace one, and the legal transitions between them."""

from django.db import models

from portal.transitions import Look, StateTable


class MachineState(models.TextChoices):
    """A machine."""

    REGISTERED = "Registered"
    READY = "Ready"
    SUSPENDED = "Suspended"
    REVOKED = "Revoked"
    UNREGISTERED = "Unregistered"


class ReplacementState(models.TextChoices):
    """A request that another computer may take the place of a machine."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    USED = "used"


ALLOWED_IN = frozenset({MachineState.REGISTERED, MachineState.READY})
"""States in which a machine may reach its storage."""

OUT = frozenset({MachineState.REVOKED, MachineState.UNREGISTERED})
"""States in which the vault does not count the machine."""

OPEN = frozenset({ReplacementState.PENDING, ReplacementState.APPROVED})
"""States in which a request may still lead to a replacement."""

MACHINE = StateTable(
    noun="machine",
    looks={
        MachineState.REGISTERED: Look("Registered", "blue", "Known, but not yet backed up and restored."),
        MachineState.READY: Look("Ready", "green", "Backed up, and a restore was compared."),
        MachineState.SUSPENDED: Look("Suspended", "amber", "Two holders of one identity were seen."),
        MachineState.REVOKED: Look("Revoked", "red", "Locked out of storage."),
        MachineState.UNREGISTERED: Look("Unregistered", "grey", "Has left the vault; its backups are kept."),
    },
    # From everywhere to Registered, even from there: another computer takes the machine's place, and has yet to prove
    # that it is backed up.
    moves={
        MachineState.REGISTERED: frozenset(MachineState),
        MachineState.READY: frozenset(MachineState) - {MachineState.READY},
        MachineState.SUSPENDED: frozenset({MachineState.REGISTERED, MachineState.REVOKED, MachineState.UNREGISTERED}),
        MachineState.REVOKED: frozenset({MachineState.REGISTERED}),
        MachineState.UNREGISTERED: frozenset({MachineState.REGISTERED}),
    },
)

REPLACEMENT = StateTable(
    noun="replacement",
    looks={
        ReplacementState.PENDING: Look("Waiting for a second person", "amber", "Somebody else must agree to it."),
        ReplacementState.APPROVED: Look("Agreed", "green", "The credential for the replacement can be downloaded."),
        ReplacementState.REJECTED: Look("Rejected", "red", "Somebody said no; the comment says why."),
        ReplacementState.CANCELLED: Look("Cancelled", "grey", "Taken back, or ended when the machine was revoked."),
        ReplacementState.EXPIRED: Look("Expired", "grey", "Nobody decided, or used it, in time."),
        ReplacementState.USED: Look("Done", "green", "Another computer has taken the machine's place."),
    },
    moves={
        ReplacementState.PENDING: frozenset(
            {
                ReplacementState.APPROVED,
                ReplacementState.REJECTED,
                ReplacementState.CANCELLED,
                ReplacementState.EXPIRED,
            }
        ),
        ReplacementState.APPROVED: frozenset(
            {ReplacementState.USED, ReplacementState.CANCELLED, ReplacementState.EXPIRED}
        ),
    },
    busy=OPEN,
)
