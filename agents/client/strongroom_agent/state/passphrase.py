"""The passphrase that encrypts the backups; it never leaves this machine."""

import os
import secrets
import tempfile
from pathlib import Path

from strongroom_agent.core import acl
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.sizes import counted

from .home import Home

MINIMUM = 16
MAXIMUM = 4096
FILE = "passphrase"
# Read aloud and typed without mistakes: no 0 and O, no 1, l and I.
_ALPHABET = "23456789abcdefghijkmnpqrstuvwxyz"
_GROUPS, _GROUP = 6, 5  # 30 characters of 5 bits: 150 bits


def generate() -> str:
    """A new passphrase of 150 random bits, in groups that can be written down."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def check(text: str) -> str:
    """The passphrase in `text`, in which one trailing newline does not count.

    AgentError unless it has 16 to 4096 characters, all printable ASCII, and no space at either end
    (restic drops those, so they would not protect anything).
    """
    passphrase = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    if any(not " " <= character <= "~" for character in passphrase):
        raise _refusal("it holds something other than printable ASCII characters")
    if passphrase != passphrase.strip(" "):
        raise _refusal("it begins or ends with a space, which would not count")
    if len(passphrase) > MAXIMUM:
        raise _refusal(f"it has more than {MAXIMUM} characters")
    if len(passphrase) < MINIMUM:
        raise _refusal(f"it has {counted(len(passphrase), 'character')}, at least {MINIMUM} are needed")
    return passphrase


def read(path: Path) -> str:
    """The passphrase that a file gives. AgentError if the file or the passphrase is not good."""
    try:
        with path.open("rb") as file:
            content = file.read(MAXIMUM + len("\r\n") + 1)
        return check(content.decode("ascii"))
    except UnicodeDecodeError as error:
        raise _refusal("it holds something other than printable ASCII characters") from error
    except OSError as error:
        raise AgentError(
            "passphrase_unreadable",
            f"The passphrase file {path} cannot be read: {error.strerror}.",
            "Give --passphrase-file a file that this user may read.",
        ) from error


def check_new(path: Path) -> None:
    """AgentError unless a passphrase could be saved to this file, which must not be there yet. Writes nothing."""
    if os.path.lexists(path):
        raise _exists(path)
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unsaved(path, error) from error


def save_new(path: Path, passphrase: str) -> None:
    """Write a generated passphrase to a new file, mode 0600. Never overwrites: AgentError instead."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        acl.restrict(path)
        with os.fdopen(handle, "w", encoding="ascii", newline="\n") as file:
            file.write(passphrase + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise _unsaved(path, error) from error


def _exists(path: Path) -> AgentError:
    return AgentError(
        "passphrase_file_exists",
        f"{path} exists already and is not overwritten: it may hold the only copy of a passphrase.",
        "Give --save-passphrase-to the name of a new file. If an earlier setup as another user made it (with or "
        "without sudo), run setup as that user again.",
    )


def _unsaved(path: Path, error: OSError) -> AgentError:
    return AgentError(
        "passphrase_unsaved",
        f"The passphrase cannot be saved to {path}: {error.strerror}.",
        "Give --save-passphrase-to a file in a folder that this user may write to.",
    )


def store(home: Home, passphrase: str) -> None:
    """Keep the passphrase for the runs that follow."""
    home.write_text(FILE, passphrase + "\n")


def stored(home: Home) -> str | None:
    """The passphrase kept on this machine; None if there is none. AgentError `state_damaged` if it is none any more."""
    try:
        text = home.read_text(FILE)
        return None if text is None else check(text)
    except AgentError as error:
        raise AgentError(
            "state_damaged",
            f"What is in {home.path(FILE)} is not the passphrase any more.",
            "Put the passphrase back there, in a file that only this user may read.",
        ) from error


def missing(home: Home) -> AgentError:
    """The error for a machine without its passphrase."""
    return AgentError(
        "passphrase_missing",
        f"The passphrase is no longer in {home.path(FILE)}.",
        "Put it back there, in a file that only this user may read.",
    )


def set_aside(home: Home, owner: str) -> Path | None:
    """Move the passphrase out of the way, never delete it: backups may depend on it. Where it is now."""
    if not home.path(FILE).exists():
        return None
    target = home.path(f"{FILE}-{owner}")
    os.replace(home.path(FILE), target)
    return target


def _refusal(why: str) -> AgentError:
    return AgentError(
        "passphrase_invalid",
        f"The passphrase cannot be used: {why}.",
        f"Choose one of {MINIMUM} to {MAXIMUM} printable ASCII characters, or use --generate-passphrase.",
    )
