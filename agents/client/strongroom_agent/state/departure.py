"""What this machine knows of the vault that it has left: enough to say so to whoever asks it for a backup."""

import contextlib
import re

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError

from .home import Home
from .identity import Identity

_FILE = "left.json"
_KNOWN = ("name", "vault", "at")
# The portal's words for what it has no code of its own for.
_TAKEN = re.compile(r"place was taken by another one on ([^;.]+)")
_REVOKED = re.compile(r"A member of the vault revoked it|certificate was revoked at|It has left the vault")


def place_taken(refusal: AgentError) -> str:
    """When another computer took this one's place, as the portal says it; empty where it says no such thing."""
    found = _TAKEN.search(refusal.problem)
    return found.group(1) if found else ""


def for_good(refusal: AgentError) -> bool:
    """Whether this machine is out of its vault and will not be let in again as it is."""
    return bool(_TAKEN.search(refusal.problem) or _REVOKED.search(refusal.problem))


def note(home: Home, identity: Identity, passphrase_kept: str | None, taken: str = "") -> None:
    """The machine has left its vault, or forgotten it; `taken` is when another one took its place, if that is so.

    No reason to fail: leaving may be for want of room.
    """
    about = {"name": identity.name, "vault": identity.vault["name"], "at": times.render(times.now())}
    with contextlib.suppress(AgentError, OSError):
        home.write_object(_FILE, {**about, "passphrase": passphrase_kept or "", "taken": taken})


def forget(home: Home) -> None:
    """Drop it, where the vault that was left last is not known."""
    home.remove(_FILE)


def known(home: Home) -> AgentError | None:
    """The error for a machine that has left a vault and is in no other; None when nothing is known of that."""
    try:
        found = home.read_object(_FILE) or {}
    except AgentError:
        return None
    if not all(isinstance(found.get(field), str) for field in _KNOWN):
        return None
    kept = found.get("passphrase")
    about = f" The passphrase is kept in {kept}." if isinstance(kept, str) and kept else ""
    taken = found.get("taken")
    if isinstance(taken, str) and taken:
        # A replacement would take the place from the computer that has it now.
        return AgentError(
            "not_registered",
            f"This computer's place in vault {found['vault']}, where it was {found['name']}, was taken by another one "
            f"on {taken}. What it has backed up is kept there.{about}",
            "To back up this computer again, run strongroom-agent setup with new vault credentials and another --name.",
        )
    return AgentError(
        "not_registered",
        f"This machine has left vault {found['vault']}, where it was {found['name']}, on "
        f"{times.people(str(found['at']))}. What it has backed up is kept there.{about}",
        "To back it up again, run strongroom-agent setup with new vault credentials; to bring it back as the same "
        "machine, request a replacement on its page in the portal.",
    )
