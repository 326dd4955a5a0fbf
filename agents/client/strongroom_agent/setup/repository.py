"""Making the repository at setup, also when an earlier setup was interrupted in the middle of it."""

import tempfile
from dataclasses import replace
from pathlib import Path

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import progress
from strongroom_agent.portal.storage import Storage
from strongroom_agent.restic.process import Restic
from strongroom_agent.state.session import Session

_AGAIN = (
    "Give the passphrase that was used first with --passphrase-file and run setup again; nobody can recover the data "
    "without it."
)
"""What helps as long as no passphrase of this machine has opened the backups: setup then takes another one."""


def ensure(session: Session) -> None:
    """Make the repository if there is none, and prove that the passphrase opens it.

    AgentError `passphrase_wrong` when it exists and was made with another passphrase.
    """
    storage, restic = session.storage, session.restic(session.primary)
    if not storage.exists(session.primary):
        progress("making the place for backups")
        _make(session, storage, restic)
    try:
        hint = _key_hint(session, storage, restic)
        Restic(replace(restic.connection, key_hint=hint)).run("cat", "config")
    except AgentError as error:
        if error.code != "passphrase_wrong" or session.settings.opened:
            raise
        raise AgentError(error.code, error.problem, _AGAIN) from error
    session.remember(key_hint=hint, opened=True)


def _make(session: Session, storage: Storage, restic: Restic) -> None:
    """Make the repository. Where an `init` that died has left a key, restic refuses to make another one there, and
    nobody may delete keys: then it is made in a folder of ours, and its key and config are put beside the old key."""
    if not storage.names(session.primary, "keys"):
        restic.run("init")
        return
    with tempfile.TemporaryDirectory(dir=restic.connection.temp_dir) as folder:
        restic.beside(folder).run("init")
        (key,) = Path(folder, "keys").iterdir()
        storage.store(session.primary, f"keys/{key.name}", key.read_bytes())
        storage.store(session.primary, "config", Path(folder, "config").read_bytes())


def _key_hint(session: Session, storage: Storage, restic: Restic) -> str:
    """Which key opens the repository, when there are several; empty when there is one.

    An `init` that died after writing its key leaves it behind for good, since nothing can be deleted.
    restic takes the first key that fits the passphrase, and may then fail on the rest.
    """
    found = storage.names(session.primary, "keys")
    if len(found) < 2:
        return ""
    for key in found:
        hinted = Restic(replace(restic.connection, key_hint=key))
        try:
            hinted.run("cat", "config")
        except AgentError as error:
            if error.code not in ("engine_failed", "repository_damaged"):
                raise
            continue
        return key
    return ""
