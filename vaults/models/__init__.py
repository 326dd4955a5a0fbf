"""The tables of vaults: `core` has regions, requests, vaults, the work on them and their credentials; `codes` has
one-time codes; `stored` has what the portal knows of the objects that machines store; `retention_changes` has requests
to keep less."""

from vaults.models.codes import CodeTry, OneTimeCode
from vaults.models.core import (
    Credential,
    CredentialChallenge,
    NameReservation,
    Operation,
    PairedCopy,
    Redundancy,
    Region,
    Scrub,
    Vault,
    VaultRequest,
)
from vaults.models.retention_changes import RetentionChange
from vaults.models.stored import (
    LockWalk,
    LostObject,
    MachineRepository,
    RemovalCount,
    RemovedObject,
    SeenObject,
    StoredDay,
    SuspectObject,
)

__all__ = [
    "CodeTry",
    "Credential",
    "CredentialChallenge",
    "LockWalk",
    "LostObject",
    "MachineRepository",
    "NameReservation",
    "OneTimeCode",
    "Operation",
    "PairedCopy",
    "Redundancy",
    "Region",
    "RemovalCount",
    "RemovedObject",
    "RetentionChange",
    "Scrub",
    "SeenObject",
    "StoredDay",
    "SuspectObject",
    "Vault",
    "VaultRequest",
]
