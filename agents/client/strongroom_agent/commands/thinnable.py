"""Whether this machine's backups may be thinned: what is damaged, or lost from one region, stays as it is.

What a lost snapshot needs would look like what nobody needs, and go to the trash with the rest.
"""

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.sizes import counted
from strongroom_agent.portal import reports
from strongroom_agent.portal.sources import may_be_elsewhere
from strongroom_agent.proof import damage, healing
from strongroom_agent.restic import snapshots
from strongroom_agent.restic.errors import damaged
from strongroom_agent.restic.process import Restic
from strongroom_agent.restic.snapshots import Snapshot
from strongroom_agent.state import forgotten, last_snapshot
from strongroom_agent.state.identity import Repository
from strongroom_agent.state.session import Session

_STAYS = "Nothing was deleted."


def snapshots_there(session: Session, restic: Restic) -> list[Snapshot]:
    """All snapshots, oldest first. AgentError `repository_damaged` where damage is known or a snapshot cannot be read,
    `regions_differ` where one is in the paired region alone, `snapshot_unknown` where there is none."""
    healing.hear(session)
    if known := damage.known(session):
        raise AgentError(
            "repository_damaged",
            f"These backups are known to be damaged, so that nothing was deleted: {known.reason}",
            "Run strongroom-agent check: it says what can be done, and when it passes, retain works again.",
        )
    last_snapshot.require(session)
    names = set(session.storage.names(session.primary, "snapshots"))
    found = snapshots.all_of(restic)
    if unread := names - {each.id for each in found}:
        raise damaged(f"{counted(len(unread), 'snapshot')} cannot be read: {_names(unread)}. {_STAYS}")
    for pair in session.identity.repositories[1:]:
        _require_all(session, pair, names)
    if not found:
        raise _nothing(session)
    return found


def _require_all(session: Session, pair: Repository, names: set[str]) -> None:
    """AgentError where the paired region has a snapshot that the first one lacks, unless this machine deleted it."""
    try:
        copied = set(session.storage.names(pair, "snapshots"))
    except AgentError as error:
        if not may_be_elsewhere(error):
            raise
        raise AgentError(
            error.code,
            f"Whether region {session.primary.region} has lost a snapshot cannot be told: {error.problem} {_STAYS}",
            error.remedy,
        ) from error
    known = forgotten.known(session.home)
    if known - copied:
        forgotten.remember(session.home, known & copied)
    if lost := copied - names - known:
        raise AgentError(
            "regions_differ",
            f"{counted(len(lost), 'snapshot')} of this machine {'is' if len(lost) == 1 else 'are'} in region "
            f"{pair.region} alone: {_names(lost)}. {_STAYS}",
            f"Region {session.primary.region} has lost them, which the portal mends within minutes, or somebody has "
            "moved them to the trash, which the other region follows: run strongroom-agent retain again later. If it "
            "stays so, tell an administrator of the portal.",
        )


def _nothing(session: Session) -> AgentError:
    if reports.backed_up(session.home):
        return damaged(f"There is no snapshot any more, though this machine has made some. {_STAYS}")
    error = AgentError(
        "snapshot_unknown", "There is no snapshot yet, so that nothing can be thinned.", "Run strongroom-agent backup."
    )
    error.before_the_run = True
    return error


def _names(found: set[str]) -> str:
    return ", ".join(each[:8] for each in sorted(found))
