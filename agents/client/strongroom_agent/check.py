"""The command `check`: is the repository sound, and does the newest snapshot come back as it is?"""

from . import restorecheck
from .errors import AgentError
from .output import Done, progress
from .recorded import record
from .session import Session


class _Sound:
    """A repository in whose structure restic found no error."""

    figures: dict[str, object] = {}
    failure: AgentError | None = None
    remark = ""


def run(session: Session) -> Done:
    """Check the repository's structure, then restore and compare; both are reported."""
    session.prepare()
    restic = session.open_primary()

    def structure() -> _Sound:
        progress("checking the structure of the repository")
        restic.run("check", "--with-cache")
        return _Sound()

    record(session, "check", structure)
    result = restorecheck.restore_check(session, "latest")
    return Done(f"The backups are sound: {result.remark}", details=result.figures)
