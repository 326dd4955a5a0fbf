"""Which snapshots there are, by the storage's own lists: in the first region and in its pair.

restic leaves out of its list what it cannot read, so its list alone would let backups vanish without a word.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from strongroom_agent.core.errors import AgentError
from strongroom_agent.restic import snapshots
from strongroom_agent.restic.errors import damaged, unknown_snapshot
from strongroom_agent.restic.snapshots import Snapshot
from strongroom_agent.state import last_snapshot
from strongroom_agent.state.identity import Repository
from strongroom_agent.state.last_snapshot import Made
from strongroom_agent.state.session import Session

from .sources import attempt, candidates, may_be_elsewhere


@dataclass
class Catalogue:
    """Snapshots that can be read, oldest first, with the region of each; and the ids of those that cannot."""

    snapshots: list[Snapshot] = field(default_factory=list)
    regions: dict[str, Repository] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    failures: list[AgentError] = field(default_factory=list)
    machine: str = ""  # its ID
    lost: Made | None = None  # the one that this machine made last, if every region was asked for it in vain

    def newest(self) -> Snapshot:
        """The newest snapshot. AgentError when there is none, or when one that cannot be read may be newer."""
        if not self.unreadable and not self.lost:
            if not self.snapshots:
                raise unknown_snapshot()
            return self.snapshots[-1]
        advice = f"Give --snapshot {self.snapshots[-1].id[:8]}, the newest that can be read." if self.snapshots else ""
        said = [last_snapshot.in_no_region(self.lost)] if self.lost else []
        if self.unreadable:
            unread = ", ".join(each[:8] for each in self.unreadable)
            said.append(f"Which snapshot is the newest cannot be told: {unread} cannot be read in any region.")
        raise self.trouble(" ".join(said), {}, advice)

    def trouble(self, problem: str, details: Mapping[str, object], advice: str = "") -> AgentError:
        """What is said of snapshots that are lost or cannot be read; `advice` takes the place of the usual one."""
        gone = {"lost_snapshot": self.lost.id} if self.lost else {}
        error = damaged(problem, **{**details, "unreadable_snapshots": self.unreadable, **gone})
        said = [advice, last_snapshot.REMEDY] if self.lost else [advice or error.remedy]
        if self.unreadable:
            said.append(snapshots.to_trash(self.machine, self.unreadable))
        return AgentError(error.code, error.problem, " ".join(filter(None, said)), **error.details)


def of(session: Session, region: str | None) -> Catalogue:
    """The catalogue of all regions, or of one. AgentError when no region can be asked."""
    made, names = Catalogue(machine=session.identity.machine_id), set[str]()
    for repository in candidates(session, region):
        try:
            here = set(session.storage.names(repository, "snapshots"))
            if made.regions and here <= set(made.regions):
                continue  # nothing there that we have not read
            names |= here
            _add(made, repository, attempt(session, repository, lambda restic, _: snapshots.all_of(restic)))
        except AgentError as error:
            if not may_be_elsewhere(error):
                raise
            made.failures.append(error)
    made.unreadable = sorted(names - set(made.regions))
    made.snapshots.sort(key=lambda each: each.began_ns)
    if not made.regions and made.failures:
        raise made.failures[0]
    if region is None and not made.failures:
        last = last_snapshot.known(session.home)
        made.lost = last if last and last.id not in names and last.id not in made.regions else None
    return made


def _add(made: Catalogue, repository: Repository, found: list[Snapshot]) -> None:
    for each in found:
        if each.id not in made.regions:
            made.regions[each.id] = repository
            made.snapshots.append(each)
