"""The command `snapshots`: what there is to restore."""

from dataclasses import asdict

from strongroom_agent.core.output import Done
from strongroom_agent.core.sizes import counted, readable
from strongroom_agent.core.times import people
from strongroom_agent.portal import reports, snapshot_catalog
from strongroom_agent.restic.errors import damaged
from strongroom_agent.restic.snapshots import Snapshot
from strongroom_agent.state import last_snapshot
from strongroom_agent.state.session import Session


def run(session: Session, region: str | None) -> Done:
    """List the snapshots of this machine. AgentError when the storage has one that no region can read, or
    none although there were some."""
    session.prepare()
    found = snapshot_catalog.of(session, region)
    first = session.identity.repositories[0] if region is None else next(iter(found.regions.values()), None)
    copied = [each for each in found.snapshots if first is not None and found.regions[each.id] != first]
    note = " ".join(error.problem for error in found.failures)
    if copied:
        other = found.regions[copied[0].id].region
        read = f"{len(copied)} of {counted(len(found.snapshots), 'snapshot')}"
        note = f"{note} From the copy in region {other}: {read}.".strip()
    details: dict[str, object] = {
        "snapshots": [{**asdict(each), "region": found.regions[each.id].region} for each in found.snapshots],
        "region": found.regions[found.snapshots[-1].id].region if found.snapshots else "",
        "from_copy": bool(found.snapshots) and len(copied) == len(found.snapshots),
        "note": note,
        "unreadable_snapshots": found.unreadable,
    }
    lines = [_line(each) for each in found.snapshots]
    problems = [last_snapshot.in_no_region(found.lost)] if found.lost else []
    if found.unreadable:
        named = ", ".join(each[:8] for each in found.unreadable)
        problems.append(f"{counted(len(found.unreadable), 'snapshot')} cannot be read in any region: {named}.")
    if problems:
        raise found.trouble("\n".join([*lines, " ".join(problems)]), details)
    if not found.snapshots and region is None and reports.backed_up(session.home):
        raise damaged("There is no snapshot any more in any region, though this machine has made some.", **details)
    return Done("\n".join(filter(None, [*lines, note])) or "There is no snapshot yet.", details=details)


def _line(snapshot: Snapshot) -> str:
    """One snapshot for people; by its size the one before a loss is found."""
    size = [counted(snapshot.files, "file")] if snapshot.files is not None else []
    size += [readable(snapshot.bytes)] if snapshot.bytes is not None else []
    parts = [snapshot.id[:8], people(snapshot.time), ", ".join(size), ", ".join(snapshot.paths)]
    return "  ".join(filter(None, parts))
