"""The step *Encryption setting*: which passphrase this machine uses from now on."""

from pathlib import Path

from . import passphrase
from .errors import AgentError
from .home import Home
from .settings import Settings


def require_given(given: str | None, replaced: str) -> None:
    """AgentError `passphrase_needed` unless there is a file with the passphrase: a new one opens no old backups."""
    if given is None:
        raise AgentError(
            "passphrase_needed",
            f"The backups of {replaced} open with the passphrase that they were made with, not with a new one.",
            "Give that passphrase with --passphrase-file. Nothing has been registered.",
        )


def settle(home: Home, given: str | None, save_to: str | None, before: Settings | None) -> None:
    """Read or generate the passphrase and keep it on this machine.

    `before` are the settings of a setup that is being repeated. Once a passphrase has opened the
    repository it is not exchanged for another one: nothing stored could be read any more.
    """
    kept = passphrase.kept(home)
    if given is not None:
        opens = before is not None and before.opened
        _provided(home, passphrase.read(Path(given)), kept if opens else None)
    elif save_to is not None:
        # A setup that died while it made the repository may have used the passphrase already.
        _generated(home, Path(save_to).absolute(), kept, kept if before is not None else None)


def _provided(home: Home, wanted: str, used: str | None) -> None:
    if used is not None and used != wanted:
        raise AgentError(
            "passphrase_differs",
            "This machine's backups are encrypted with another passphrase.",
            f"Give the one in {home.path(passphrase.FILE)}; it cannot be changed afterwards.",
        )
    passphrase.keep(home, wanted)


def _generated(home: Home, target: Path, kept: str | None, used: str | None) -> None:
    """A repeated setup finds the passphrase that it saved the first time, and goes on with it."""
    if kept is not None and _holds(target, kept):
        return
    wanted = used or passphrase.generate()
    if not target.exists():
        passphrase.keep(home, wanted)
    passphrase.save_new(target, wanted)


def _holds(target: Path, kept: str) -> bool:
    try:
        return passphrase.read(target) == kept
    except AgentError:
        return False
