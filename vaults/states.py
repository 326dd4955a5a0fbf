"""The states of requests, vaults and operations, and the legal transitions between them."""

from django.db import models

from portal.core.states import Look, StateTable


class RequestState(models.TextChoices):
    """A request for a vault."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


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


REQUEST = StateTable(
    noun="vault-request",
    looks={
        RequestState.PENDING: Look("Waiting for approval", "amber", "An approver must review it."),
        RequestState.APPROVED: Look("Approved", "green", "The vault has been or is being created."),
        RequestState.REJECTED: Look("Rejected", "red", "Rejected by an approver; the comment says why."),
        RequestState.CANCELLED: Look("Cancelled", "grey", "Cancelled by the requester."),
        RequestState.EXPIRED: Look("Expired", "grey", "Nobody decided in time."),
    },
    moves={
        RequestState.PENDING: frozenset(
            {RequestState.APPROVED, RequestState.REJECTED, RequestState.CANCELLED, RequestState.EXPIRED}
        ),
    },
    busy=frozenset({RequestState.PENDING}),
)

VAULT = StateTable(
    noun="vault",
    looks={
        VaultState.CREATING: Look("Creating", "blue", "Storage is being set up."),
        VaultState.ACTIVE: Look("Active", "green", "Machines can register and back up."),
        VaultState.FAILED: Look("Failed", "red", "The storage could not be set up."),
        VaultState.REMOVING: Look("Removing", "amber", "The vault is being removed."),
        VaultState.REMOVED: Look("Removed", "grey", "The vault has been removed."),
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
        OperationState.RUNNING: Look("Running", "blue"),
        OperationState.SUCCEEDED: Look("Done", "green"),
        OperationState.FAILED: Look("Failed", "red"),
    },
    moves={
        OperationState.RUNNING: frozenset({OperationState.SUCCEEDED, OperationState.FAILED}),
        OperationState.FAILED: frozenset({OperationState.RUNNING}),
    },
    busy=frozenset({OperationState.RUNNING}),
)
