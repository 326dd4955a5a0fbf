"""The command `repair`: bring damaged backups back as far as possible, and say what is lost for good.

Never by restic's `repair snapshots`, which makes a repository look sound by cutting out what is lost. What the paired
region still has is brought back by the portal; here the index is made to name only what is there and whole, what the
machine still has is stored again, and a check says whether that was enough.
"""

from dataclasses import dataclass, field

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import Done, progress
from strongroom_agent.core.sizes import counted
from strongroom_agent.portal.recorded_run import record
from strongroom_agent.proof import damage, healing
from strongroom_agent.restic import snapshots, soundness
from strongroom_agent.restic.process import Restic
from strongroom_agent.state import last_snapshot
from strongroom_agent.state.session import Session

from . import backup, check

_SHOWN = 20
_LONGEST = 200  # characters of what restic says of one object: it names each part of a damaged pack


@dataclass(frozen=True)
class RepairResult:
    """What a repair has left: for each snapshot that is not whole, what it lacks."""

    machine: str
    snapshot: str
    found: int
    lost: dict[str, list[str]] = field(default_factory=dict)
    gone: str = ""  # about the snapshot made last, if no region has it any more
    waiting: str = ""  # about damaged packs that the portal has to replace from the pair
    known: bool = False  # whether damage was known before

    @property
    def newest_whole(self) -> bool:
        """Whether the backup made by the repair has everything."""
        return self.snapshot[:8] not in self.lost

    @property
    def figures(self) -> dict[str, object]:
        """What the portal is told."""
        return {"snapshot": self.snapshot, "found": self.found}

    @property
    def details(self) -> dict[str, object]:
        """The JSON answer."""
        shown = {snapshot: paths[:_SHOWN] for snapshot, paths in self.lost.items()}
        found = {"snapshot": self.snapshot, "errors_found": self.found, "lost_from": shown}
        return found if self.waiting else {**found, "newest_whole": self.newest_whole}

    @property
    def failure(self) -> AgentError | None:
        """As long as one snapshot lacks something, the repository is not sound."""
        if not self.lost:
            return self._waiting
        snapshot, paths = next(iter(self.lost.items()))  # this one is listed in full
        whole = "The newest snapshot is whole" if self.newest_whole else "The newest snapshot is not whole either"
        what = "all folders" if "/" in paths else ", ".join(paths[:3])
        return AgentError(
            "repair_incomplete",
            f"{f'{self.gone} ' if self.gone else ''}{counted(len(self.lost), 'snapshot')} cannot be restored in full: "
            f"what is lacking is in no region and not on this machine any more. The first is {snapshot}, which lacks "
            f"{what}. {whole}: {self.snapshot[:8]}.",
            "Restore what those snapshots still have with --include; everything that is on this machine now is in the "
            f"newest one. {snapshots.to_trash(self.machine, list(self.lost))}"
            if self.newest_whole
            else "Run strongroom-agent repair again.",
            **self.details,
        )

    @property
    def _waiting(self) -> AgentError | None:
        if not self.waiting:
            return None
        return AgentError(
            "repository_damaged",
            f"{self.waiting} Everything that is on this machine now is in {self.snapshot[:8]}.",
            "Run strongroom-agent check in a few minutes; if that finds damage still, tell an administrator.",
            **self.details,
        )

    @property
    def remark(self) -> str:
        """The result in a sentence."""
        if self.gone:
            return (
                f"{self.gone} All snapshots that are left are whole; everything that is on this machine now is in "
                f"{self.snapshot[:8]}, which was restored."
            )
        if not self.found and self.known:
            return (
                "What was damaged is whole again, from the other region or by the last backup: all that is in use was "
                "read, and the newest snapshot restored."
            )
        if not self.found:
            return "Nothing that is in use was damaged: all of it was read, and the newest snapshot restored."
        return "What was lost has been stored again; all snapshots are whole, and the newest one was restored."


def run(session: Session) -> Done:
    """Repair and report it. AgentError `repair_incomplete` when something is lost for good."""
    if not healing.recent(session):
        session.engine.must_be_recent("repair")
    session.prepare()
    result = record(session, "repair", lambda: _repair(session))
    return Done(result.remark, details=result.details)


def _repair(session: Session) -> RepairResult:
    restic = session.open_primary()
    gone, known = last_snapshot.lost(session), damage.known(session) is not None
    progress("reading all data of the repository")
    found = soundness.look(restic, read_data=True)
    for each in found.errors[:_SHOWN]:
        progress(f"found: {each[:_LONGEST]}")
    kept = _repair_objects(session, restic, found)
    saved = backup.back_up(session, options=("--force",))
    left = soundness.look(restic)
    waiting = ""
    if left.errors and kept:
        damage.mark(session, "packs are damaged that only the paired region has whole")
        kept.put_back(session, restic)
        left, waiting = soundness.look(restic), kept.remark
    if waiting and not left.errors:
        return RepairResult(session.identity.machine_id, saved.snapshot, len(found.errors), gone=gone, waiting=waiting)
    if left.errors:
        if not (lost := soundness.lost(restic)):
            damage.mark(session, "something is damaged that no snapshot could be named for")
            raise _unnamed(left)
        damage.mark_lost(session, f"{counted(len(lost), 'snapshot')} cannot be restored in full.", lost)
        return RepairResult(session.identity.machine_id, saved.snapshot, len(found.errors), lost, gone)
    check.run(session)
    return RepairResult(session.identity.machine_id, saved.snapshot, len(found.errors), gone=gone, known=known)


def _unnamed(left: soundness.Findings) -> AgentError:
    return AgentError(
        "repair_incomplete",
        f"{counted(len(left.errors), 'error')} could not be repaired, and no snapshot be named that lacks something "
        f"because of it. The first is: {left.errors[0]}",
        "Run strongroom-agent check; if that finds damage still, tell an administrator.",
        errors_left=left.errors[:_SHOWN],
    )


def _repair_objects(session: Session, restic: Restic, found: soundness.Findings) -> healing.Kept | None:
    """Make the index name only what is there and whole. What is whole in a damaged pack moves to a new one.

    Gives the way back for packs that the paired region has whole, should this machine not have all of their content.
    """
    damaged = set(found.broken)
    kept = healing.keep(session, damaged)
    if found.errors:
        progress("rebuilding the index")
        damaged |= healing.rebuild_index(session, restic)
    healing.save(restic, damaged)
    return kept
