"""The states of machines and of requests to replace one, and the legal transitions between them."""

from datetime import datetime, timedelta

from django.db import models

from portal.core.states import StateDisplay, StateTable


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


class ReleaseState(models.TextChoices):
    """A release of the agent that machines update themselves to."""

    OFFERED = "Offered"
    PAUSED = "Paused"
    REPLACED = "Replaced"
    WITHDRAWN = "Withdrawn"


class UpdateState(models.TextChoices):
    """How it stands with the update of a machine, as it told last."""

    WAITING = "waiting"
    TRYING = "trying"
    FAILED = "failed"
    UPDATED = "updated"


class Concern(models.TextChoices):
    """Why somebody must look at a machine, the worst first; shown beside its state."""

    DAMAGED = "damaged"
    LOSSES = "losses"
    BACKUP_FAILED = "backup-failed"
    AFTER_FAILED = "after-failed"
    CHECK_FAILED = "check-failed"
    RESTORE_CHECK_FAILED = "restore-check-failed"
    NAMED_MISSING = "named-missing"


class SetupStep(models.TextChoices):
    """What a machine tells of its setup, in the order in which it does it; the agent's `doctor` has the same names."""

    PROGRAM = "program", "Backup program"
    PROTECTED = "protected", "Protected folders"
    CACHE = "cache", "Cache folder"
    PROXY = "proxy", "Proxy configuration"
    PORTAL = "portal", "Portal"
    STORAGE = "storage", "Storage"
    BACKUP = "backup", "First backup"
    RESTORE = "restore", "Restore check"
    SCHEDULE = "schedule", "Schedule"


class StepState(models.TextChoices):
    """How such a step stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


ALLOWED_IN = frozenset({MachineState.REGISTERED, MachineState.READY})
"""States in which a machine may reach its storage."""

OUT = frozenset({MachineState.REVOKED, MachineState.UNREGISTERED})
"""States in which the vault does not count the machine."""

OPEN = frozenset({ReplacementState.PENDING, ReplacementState.APPROVED})
"""States in which a request may still lead to a replacement."""

MACHINE = StateTable(
    noun="machine",
    looks={
        MachineState.REGISTERED: StateDisplay("Registered", "blue", "Registered, but not yet backed up and restored."),
        MachineState.READY: StateDisplay("Ready", "green", "Backed up, and a restore was compared."),
        MachineState.SUSPENDED: StateDisplay("Suspended", "amber", "Two computers have used its identity."),
        MachineState.REVOKED: StateDisplay("Revoked", "red", "Locked out of storage."),
        MachineState.UNREGISTERED: StateDisplay("Unregistered", "grey", "Has left the vault; its backups are kept."),
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

CONCERNS: dict[str, StateDisplay] = {
    Concern.DAMAGED: StateDisplay("Damaged", "amber", "Stored data of this machine is damaged or missing."),
    Concern.LOSSES: StateDisplay("Files missing", "amber", "Protected folders have lost files since the last backup."),
    Concern.BACKUP_FAILED: StateDisplay("Backup failed", "amber", "The latest backup failed."),
    Concern.AFTER_FAILED: StateDisplay("Command failed", "amber", "The command after the latest backup failed."),
    Concern.CHECK_FAILED: StateDisplay("Check failed", "amber", "The latest check of what is stored failed."),
    Concern.RESTORE_CHECK_FAILED: StateDisplay("Restore check failed", "amber", "The latest restore check failed."),
    Concern.NAMED_MISSING: StateDisplay(
        "Named missing", "amber", "A file that is to be proven always is in no backup."
    ),
}
"""How each is shown."""

LATE = StateDisplay("Late", "amber", "The backup that its schedule promises has not come.")
NO_BACKUPS = StateDisplay("No backups", "red", "Three backups that its schedule promises have not come.")
"""How a machine is shown whose backups do not come; worked out from the clock, and stored nowhere."""


def grace(every_hours: int) -> timedelta:
    """How much later than its schedule says a backup may end: a quarter, at least two hours, at most half a day."""
    return timedelta(hours=min(max(2.0, every_hours / 4), 12.0))


def late_from(since: datetime, every_hours: int) -> datetime:
    """From when on a machine is late whose last backup, or first day of its schedule, was at `since`."""
    return since + timedelta(hours=every_hours) + grace(every_hours)


def red_from(late: datetime, every_hours: int) -> datetime:
    """When, three intervals after the last backup, lateness turns red; `late` is what `late_from()` gave."""
    return late - grace(every_hours) + timedelta(hours=2 * every_hours)


UNPROVEN = StateDisplay("Not proven", "amber", "No restore of it has been proven for a week, or four backups.")
"""How a machine is shown whose newest proof is too old; worked out from the clock, and stored nowhere."""

FADED = StateDisplay("Ready, faded", "grey", "Backed up; the newest proof of a restore is older than it should be.")
"""How Ready machines are counted whose proof has faded; beside one of them its age says so."""

SLOW = StateDisplay("Slow restore", "amber", "Restoring all of it would take longer than its vault's people expect.")
"""How a machine is shown that would be back later than expected, by the newest measurement."""

USUAL_HOURS = 24
"""What a machine without a schedule is measured by: proofs are of use only while they are young."""


def fades_from(proven: datetime, every_hours: int | None) -> datetime:
    """From when on the green of a proof has faded: two intervals of the schedule, and no sooner than two days."""
    return proven + timedelta(hours=max(48, 2 * (every_hours or USUAL_HOURS)))


def unproven_from(proven: datetime, every_hours: int | None) -> datetime:
    """From when on somebody must look: four intervals of the schedule, and no sooner than a week."""
    return proven + timedelta(hours=max(7 * 24, 4 * (every_hours or USUAL_HOURS)))


RUN_SUCCEEDED = StateDisplay("Succeeded", "green")
RUN_FAILED = StateDisplay("Failed", "red")
NOTHING_PROVEN = StateDisplay("Nothing proven", "amber", "It completed, but no file could be proven.")
RUN_ENDS: dict[str, StateDisplay] = {
    "done_with_unreadable": StateDisplay("Some unreadable", "amber", "Done, except for files that could not be read."),
    "done_with_losses": StateDisplay("Files missing", "amber", "Done, but protected folders have lost files."),
    "done_after_failed": StateDisplay("Command failed", "amber", "Done, but the command after it failed."),
    "done_without_named": StateDisplay("Named missing", "amber", "Done, but a file to be proven always is not there."),
    "done_on_damaged": StateDisplay("On damaged", "amber", "Done, but stored data is damaged or missing."),
}
FAILED_RUN_ENDS: dict[str, StateDisplay] = {
    "restore_incomplete": StateDisplay("Incomplete", "red", "Not all files came back as they were backed up."),
}
"""How the end of a run is shown that has one of these codes; others say no more than their outcome."""

UPDATES: dict[str, StateDisplay] = {
    UpdateState.WAITING: StateDisplay("Update waiting", "blue", "A newer version of the agent is there for it."),
    UpdateState.TRYING: StateDisplay("Updating", "blue", "It is trying a newer version of the agent."),
    UpdateState.FAILED: StateDisplay("Update failed", "amber", "It keeps the version that it has."),
}
"""How an update of a machine is shown that somebody may want to know of."""

RELEASE = StateTable(
    noun="agent-release",
    looks={
        ReleaseState.OFFERED: StateDisplay("Offered", "green", "Machines of its stage take it with their next backup."),
        ReleaseState.PAUSED: StateDisplay("Paused", "amber", "No further machine takes it."),
        ReleaseState.REPLACED: StateDisplay("Replaced", "grey", "A newer release has taken its place."),
        ReleaseState.WITHDRAWN: StateDisplay("Withdrawn", "red", "No machine takes it any more."),
    },
    moves={
        ReleaseState.OFFERED: frozenset(ReleaseState) - {ReleaseState.OFFERED},
        ReleaseState.PAUSED: frozenset(ReleaseState) - {ReleaseState.PAUSED},
    },
)

REPLACEMENT = StateTable(
    noun="replacement",
    looks={
        ReplacementState.PENDING: StateDisplay(
            "Waiting for a second person", "amber", "A second person must agree to it."
        ),
        ReplacementState.APPROVED: StateDisplay(
            "Agreed", "green", "The credential for the replacement can be downloaded."
        ),
        ReplacementState.REJECTED: StateDisplay(
            "Rejected", "red", "Rejected by a second person; the comment says why."
        ),
        ReplacementState.CANCELLED: StateDisplay(
            "Cancelled", "grey", "Cancelled, or ended when the machine was revoked."
        ),
        ReplacementState.EXPIRED: StateDisplay("Expired", "grey", "Not decided or not used in time."),
        ReplacementState.USED: StateDisplay("Done", "green", "Another computer has taken the machine's place."),
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
