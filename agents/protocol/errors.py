"""What a machine is told when it is refused: the codes and words of the contract, each with its remedy."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from agents.models import Machine
from portal.core.errors import DomainError, NotAllowed
from portal.core.times import for_people
from portal.templatetags.amounts import plural
from vaults.credentials.issuance import VaultNotActive
from vaults.credentials.redemption import ANOTHER
from vaults.models import Credential, Vault

NEW_FILE = "Download new vault credentials from the vault's Quick Start page and run setup with them."
NEW_FOR_MORE = "Download new vault credentials, for as many machines as you need, from the vault's Quick Start page."
NEW_REPLACEMENT = (
    "Download a new file from the machine's Replace page in the portal, or request a new replacement there."
)


class CredentialRefused(DomainError):
    """The vault credential does not let this machine register."""

    code = "credential_invalid"
    codes = ("credential_expired", "credential_invalid", "credential_superseded", "credential_used_up")
    status = 403


class MachineExists(DomainError):
    """The name is taken in the vault."""

    code = "machine_exists"
    status = 409


class ClockSkew(DomainError):
    """The machine's clock is too far off to tell a fresh message from an old one."""

    code = "clock_skew"
    status = 400


def invalid(why: str) -> CredentialRefused:
    """Not ours, damaged, edited, or signed by somebody else."""
    return CredentialRefused(f"Invalid vault credentials provided. {why}", remedy=NEW_FILE)


def expired(credential: Credential) -> CredentialRefused:
    """Older than 48 hours."""
    return CredentialRefused(
        f"Vault credentials file provided has expired. It was valid until {for_people(credential.expires_at)}.",
        remedy=_remedy(credential, NEW_FILE),
        code="credential_expired",
    )


def superseded(credential: Credential, newer_at: datetime | None) -> CredentialRefused:
    """Replaced by a newer one, or ended by hand; `newer_at` is when the next one was issued."""
    if newer_at is not None:
        why = f"A newer file was downloaded at {for_people(newer_at)}; only the newest one is valid."
    else:
        why = f"A member of the vault ended it at {for_people(credential.ended_at or credential.expires_at)}."
    new_file = "Use the newest file, or download new vault credentials from the vault's Quick Start page."
    remedy = _remedy(credential, new_file)
    return CredentialRefused(f"Invalid vault credentials provided. {why}", remedy=remedy, code="credential_superseded")


def issuer_left(credential: Credential, vault: Vault) -> CredentialRefused:
    """The person who downloaded it has left the vault's subscription, or may not sign in any more."""
    did = "had the one-time code" if credential.by_code else "downloaded them"
    why = f"{credential.issued_by}, who {did}, has left {vault.subscription}."
    remedy = _remedy(credential, NEW_FILE)
    return CredentialRefused(f"Invalid vault credentials provided. {why}", remedy=remedy, code="credential_superseded")


def used_up(credential: Credential, machines: Sequence[str]) -> CredentialRefused:
    """Used for as many machines as it was issued for; `machines` are some of them, the last ones first."""
    number = credential.machines_limit
    names = ", ".join(machines) + (" and others" if len(machines) < credential.machines_used else "")
    why = f"It was issued for {number} machine{'' if number == 1 else 's'} and has been used by {names}."
    return CredentialRefused(
        f"Invalid vault credentials provided. {why}",
        remedy=_remedy(credential, NEW_FOR_MORE),
        code="credential_used_up",
    )


def vault_not_active(vault: Vault) -> VaultNotActive:
    """The vault takes no machines."""
    return VaultNotActive(
        f"The vault {vault.name} is {vault.state}; machines can register only with Active vaults.",
        remedy="See the vault's page in the portal.",
    )


def machine_exists(name: str, vault: Vault) -> MachineExists:
    """A machine of that name is registered already, whatever its state, as long as it has not left."""
    return MachineExists(
        f"A machine named {name} is already registered in the vault {vault.name}.",
        remedy=(
            f"If this is another machine, choose another name with --name. If it replaces {name}, request "
            "a replacement credential on that machine's page in the portal."
        ),
    )


def other_machine(name: str, replaced: Machine, vault: Vault, *, exists: bool) -> DomainError:
    """A replacement credential was used under another name than that of its machine."""
    if exists:
        return machine_exists(name, vault)
    return CredentialRefused(
        f"Invalid vault credentials provided. They can only replace {replaced.name}.",
        remedy=f"Run setup with --name {replaced.name}; to register a new machine, download vault credentials from the"
        " vault's Quick Start page.",
    )


def name_taken_since(machine: Machine, vault: Vault) -> MachineExists:
    """The machine has left, and its name is another's by now, so that it cannot come back."""
    return MachineExists(
        f"Another machine named {machine.name} has registered in the vault {vault.name} since this one left it.",
        remedy=f"Unregister the other {machine.name} first: machine names are unique in a vault.",
    )


def clock_skew(skew: timedelta) -> ClockSkew:
    """`skew` is how far the machine's clock is ahead of ours; negative when it is behind."""
    amount = _amount(int(abs(skew).total_seconds()))
    return ClockSkew(
        f"This machine's clock is {amount} {'fast' if skew > timedelta(0) else 'slow'}; five minutes are tolerated.",
        remedy="Set the clock, then try again.",
        skew_seconds=int(skew.total_seconds()),
    )


def place_taken(replaced_at: datetime, revoked_at: datetime) -> NotAllowed:
    """Another computer has taken the place of the machine whose certificate this is."""
    return NotAllowed(
        f"This computer's place was taken by another one on {for_people(replaced_at)}; its certificate was revoked at"
        f" {for_people(revoked_at)}.",
        remedy="Run strongroom-agent unregister --forget on this computer; the passphrase is kept. To back it up as"
        " well, then run setup with new vault credentials, as a new machine under another name.",
    )


def not_entitled(why: str, remedy: str = "See the machine's page in the portal.") -> NotAllowed:
    """The machine's certificate does not entitle it to this (any more)."""
    return NotAllowed(why, remedy=remedy)


def _remedy(credential: Credential, new_file: str) -> str:
    """How to go on when this one does not do: `new_file`, unless it is for the place of a machine."""
    if credential.by_code:
        return ANOTHER
    return NEW_REPLACEMENT if credential.purpose == Credential.Purpose.REPLACE else new_file


def _amount(seconds: int) -> str:
    if seconds >= 7200:
        return plural(seconds // 3600, "hour")
    return f"{plural(seconds // 60, 'minute')} and {plural(seconds % 60, 'second')}"
