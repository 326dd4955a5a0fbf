"""The states of requests, vaults and operations, and the legal transitions between them."""

from django.db import models

from portal.approvals.states import table
from portal.core.states import StateDisplay, StateTable


class VaultState(models.TextChoices):
    """A vault."""

    CREATING = "Creating"
    ACTIVE = "Active"
    FAILED = "Failed"
    REMOVING = "Removing"
    REMOVED = "Removed"


class OperationState(models.TextChoices):
    """A piece of background work on a vault."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


REQUEST = table("vault-request", approved="The vault has been or is being created.")
RETENTION_CHANGE = table("retention-change", approved="The policy is stored.", decided_by="a second person")

VAULT = StateTable(
    noun="vault",
    looks={
        VaultState.CREATING: StateDisplay("Creating", "blue", "Storage is being set up."),
        VaultState.ACTIVE: StateDisplay("Active", "green", "Machines can register and back up."),
        VaultState.FAILED: StateDisplay("Failed", "red", "The storage could not be set up."),
        VaultState.REMOVING: StateDisplay("Removing", "amber", "The vault is being removed."),
        VaultState.REMOVED: StateDisplay("Removed", "grey", "The vault has been removed."),
    },
    moves={
        VaultState.CREATING: frozenset({VaultState.ACTIVE, VaultState.FAILED}),
        VaultState.FAILED: frozenset({VaultState.CREATING, VaultState.REMOVING}),
        VaultState.ACTIVE: frozenset({VaultState.REMOVING}),
        VaultState.REMOVING: frozenset({VaultState.REMOVED, VaultState.ACTIVE}),
    },
    busy=frozenset({VaultState.CREATING, VaultState.REMOVING}),
)

OPERATION = StateTable(
    noun="operation",
    looks={
        OperationState.RUNNING: StateDisplay("Running", "blue"),
        OperationState.SUCCEEDED: StateDisplay("Done", "green"),
        OperationState.FAILED: StateDisplay("Failed", "red"),
    },
    moves={
        OperationState.RUNNING: frozenset({OperationState.SUCCEEDED, OperationState.FAILED}),
        OperationState.FAILED: frozenset({OperationState.RUNNING}),
    },
    busy=frozenset({OperationState.RUNNING}),
)
