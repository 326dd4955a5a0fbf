"""The refusals of a vault credential file, in the words of the contract."""

from datetime import datetime
from pathlib import Path

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.sizes import duration
from strongroom_agent.core.times import for_people

NEW_FILE = "Download new vault credentials from the vault's Quick Start page and run setup with them."


def unreadable(path: Path, why: str) -> AgentError:
    """The file cannot be opened, or is no credential file at all."""
    return AgentError(
        "credential_unreadable",
        f"Unable to read the vault credentials file. {path}: {why}.",
        "Give --credentials the .VaultCredentials file downloaded from the vault's Quick Start page, "
        "in a place that this user may read.",
    )


def invalid(why: str) -> AgentError:
    """Not ours, damaged or edited."""
    return AgentError("credential_invalid", f"Invalid vault credentials provided. {why}.", NEW_FILE)


def other_machine(name: str, replaced: str) -> AgentError:
    """A replacement credential, and another name than that of its machine."""
    return AgentError(
        "credential_invalid",
        f"Invalid vault credentials provided. They are for the place of {replaced}, not of {name}.",
        f"Leave --name out, or give --name {replaced}; a new machine needs credentials from the vault's "
        "Quick Start page.",
    )


def without_key(path: Path) -> AgentError:
    """Everything is in order but for the missing private key."""
    return AgentError(
        "credential_without_key",
        f"Invalid vault credentials provided. {path} holds no private key; the key is missing, "
        "nothing else is wrong with the file.",
        "Download the vault credentials again with the button on the vault's Quick Start page, which "
        "writes the key into the file.",
    )


def expired(expires_at: datetime, now: datetime) -> AgentError:
    """Older than 48 hours, by this machine's clock."""
    return AgentError(
        "credential_expired",
        f"Vault credentials file provided has expired. It was valid until {for_people(expires_at)}; "
        f"this machine's clock says {for_people(now)}.",
        NEW_FILE,
    )


def not_yet(issued_at: datetime, now: datetime) -> AgentError:
    """Issued in this machine's future: its clock is slow by at least that much."""
    behind = issued_at - now
    return AgentError(
        "clock_skew",
        f"This machine's clock is at least {duration(behind)} slow: it says "
        f"{for_people(now)}, but the vault credentials were issued at {for_people(issued_at)}.",
        "Set the clock, then run setup again.",
        skew_seconds=-int(behind.total_seconds()),
    )
