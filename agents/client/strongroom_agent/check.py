"""The command `check`: is the repository sound, and does the newest snapshot come back as it is?"""

import re
from collections.abc import Iterable

from . import damage, lastmade, restorecheck
from .errors import AgentError
from .output import Done, progress
from .recorded import record
from .restic import Restic
from .restic_errors import damaged, plain
from .session import Session
from .sizes import readable

# Reading all that is stored takes as long as restoring it all: above this, a random part of this size is read.
READ_UP_TO = 2 * 1024**3
_NAMED = re.compile(r"\b(pack|index|snapshot|tree|blob|data)\b[ /]+<?([0-9a-f]{8,64})\b")
_SHOWN = 20


class _Sound:
    """A repository without an error, as far as it was read."""

    failure: AgentError | None = None

    def __init__(self, read: int, stored: int) -> None:
        self.read, self.stored = read, stored

    @property
    def figures(self) -> dict[str, object]:
        return {}

    @property
    def remark(self) -> str:
        """How much was read."""
        if self.read >= self.stored:
            return f"All that is stored, {readable(self.stored)}, was read and is whole."
        return (
            f"The structure is whole; {readable(self.read)} of the {readable(self.stored)} that are stored "
            "were read and are whole."
        )


def run(session: Session) -> Done:
    """Check the repository, then restore and compare; both are reported. Known damage is forgotten when both pass."""
    session.prepare()
    sound = record(session, "check", lambda: _structure(session))
    result = restorecheck.restore_check(session, "latest")
    damage.clear(session)
    return Done(
        f"The backups are sound: {result.remark} {sound.remark}",
        details={**result.figures, "read_bytes": sound.read, "stored_bytes": sound.stored},
    )


def _structure(session: Session) -> _Sound:
    session.open_primary()
    lastmade.require(session)
    stored = sum(session.storage.sizes(session.primary, "data").values())
    with restorecheck.fresh(session) as restic:
        return _read(restic, stored)


def _read(restic: Restic, stored: int) -> _Sound:
    """Check everything, and read as much of it as is sensible."""
    progress(f"checking the repository, {readable(stored)}")
    whole = stored <= READ_UP_TO
    lines: list[str] = []
    how = "--read-data" if whole else f"--read-data-subset={READ_UP_TO // 1024**2}M"
    try:
        restic.run("check", "--with-cache", how, on_line=lines.append, on_complaint=lines.append)
    except AgentError as error:
        if error.code not in ("repository_damaged", "engine_failed", "network", "unavailable"):
            raise
        named = _objects(lines)
        if error.code != "repository_damaged" and not named:
            raise
        about = f"The check found: {error.problem.removeprefix('Stored backups are damaged. ')}"
        better = damaged(f"{about} {_sentence(named)}".strip(), damaged_objects=named[:_SHOWN])
        better.complaints = error.complaints
        raise better from error
    return _Sound(stored if whole else READ_UP_TO, stored)


def _objects(lines: Iterable[str]) -> list[str]:
    """The objects that restic names in its complaints, once each."""
    found = [f"{kind} {name[:10]}" for line in lines for kind, name in _NAMED.findall(plain(line))]
    return list(dict.fromkeys(found))


def _sentence(named: list[str]) -> str:
    if not named:
        return ""
    return f"It is about {', '.join(named[:3])}" + (f" and {len(named) - 3} more." if len(named) > 3 else ".")
