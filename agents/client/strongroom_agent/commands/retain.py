"""The command `retain`: delete the snapshots that the vault's retention policy does not keep, then what only they need.

The portal says which, this machine deletes, and the storage moves what it deletes to the trash, from which it can be
brought back. Snapshots first and packs after them, each step told by the storage's lists: whoever is killed in between
leaves packs that nothing needs, which the next retain finds.
"""

from collections.abc import Sequence
from dataclasses import replace

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import Done, progress
from strongroom_agent.core.sizes import counted, readable
from strongroom_agent.portal import retention
from strongroom_agent.portal.recorded_run import record
from strongroom_agent.portal.retention import RetainAnswer
from strongroom_agent.proof import thinning
from strongroom_agent.proof.sampling import DAILY, Budget
from strongroom_agent.proof.thinning import Thinning
from strongroom_agent.restic import removals
from strongroom_agent.restic.process import Restic
from strongroom_agent.restic.snapshots import Snapshot
from strongroom_agent.state import forgotten, last_snapshot
from strongroom_agent.state.session import Session

from . import check, thinnable
from .retain_result import RetainResult

_IN_THE_TRASH = "What retain has deleted is in the trash, and can be brought back on the machine's page in the portal."


def run(session: Session, *, dry_run: bool, budget: Budget = DAILY) -> Done:
    """Thin the backups, check what is left, and report both. With `dry_run` only say which snapshots would go;
    `budget`: how much the restore check after it proves."""
    session.engine.must_be_recent("retain")
    session.prepare()
    result = RetainResult(dry_run=dry_run)
    try:
        if dry_run:
            return _preview(session, result)
        record(session, "retain", lambda: _retain(session, result), so_far=lambda: result.so_far)
    except AgentError as error:
        error.details = {**result.details, **error.details}
        raise
    progress(result.remark)
    return _checked(session, result, budget)


def _preview(session: Session, result: RetainResult) -> Done:
    restic = session.restic(session.primary)
    restic = Restic(replace(restic.connection, read_only=True))  # without a lock: nothing is changed at all
    found = thinnable.snapshots_there(session, restic)
    answer = retention.ask(session, dry_run=True)
    chosen = _decide(session, answer, found, result)
    result.forgotten, result.kept = [each.id for each in chosen.go], len(found) - len(chosen.go)
    lines = ["  ".join(filter(None, [each.id[:8], times.people(each.time), _size(each)])) for each in chosen.go]
    listed = [{"id": each.id, "time": each.time, "bytes": each.bytes} for each in chosen.go]
    text = [*lines, result.remark, result.policy, "Nothing was changed."]
    return Done("\n".join(filter(None, text)), details={**result.details, "snapshots": listed})


def _retain(session: Session, result: RetainResult) -> RetainResult:
    restic = session.open_primary()
    found = thinnable.snapshots_there(session, restic)
    result.kept = len(found)
    answer = retention.ask(session, dry_run=False)
    chosen = _decide(session, answer, found, result)
    _forget(session, restic, chosen.go, result)
    if answer.over:
        retention.ask(session, dry_run=False)  # what goes now is announced as well; the snapshots are those from before
    _prune(session, answer, result)
    return result


def _decide(session: Session, answer: RetainAnswer, found: Sequence[Snapshot], result: RetainResult) -> Thinning:
    result.policy = answer.policy
    chosen = thinning.decide(answer, found, last_snapshot.known(session.home), times.now())
    result.held_back = chosen.held_back
    return chosen


def _forget(session: Session, restic: Restic, go: Sequence[Snapshot], result: RetainResult) -> None:
    """By whole ids, and never with the data at once: what was refused is still there, and needs it."""
    wanted = [each.id for each in go]
    if not wanted:
        return
    progress(f"deleting {counted(len(wanted), 'snapshot')}: {result.policy}")
    if len(session.identity.repositories) > 1:
        forgotten.remember(session.home, {*forgotten.known(session.home), *wanted})
    try:
        removals.forget(restic, wanted)
    finally:
        there = set(session.storage.names(session.primary, "snapshots"))
        result.forgotten = [each for each in wanted if each not in there]
        result.refused = [each for each in wanted if each in there]
        result.kept = len(there)


def _prune(session: Session, answer: RetainAnswer, result: RetainResult) -> None:
    """Delete what no snapshot needs. Where there is no room to move what is needed, only packs that are not at all."""
    before = session.storage.sizes(session.primary, "data")
    progress(f"looking for what no snapshot needs in {readable(sum(before.values()))}")
    refused = _pruned(session, frugal=answer.at_quota)
    after = session.storage.sizes(session.primary, "data")
    result.freed = max(0, sum(before.values()) - sum(after.values()))
    young = refused & after.keys()
    result.young_packs, result.young_bytes = len(young), sum(after[name] for name in young)


def _pruned(session: Session, *, frugal: bool) -> set[str]:
    try:
        return removals.prune(session.unlocked(session.primary), frugal=frugal)
    except AgentError as error:
        if error.code != "quota_full":
            raise
        if frugal:
            raise _no_room() from error
    progress("note: there is no room to move what is still needed; deleting only packs that are not needed at all")
    return _pruned(session, frugal=True)


def _no_room() -> AgentError:
    return AgentError(
        "no_room_to_free",
        "There is no room left in the vault or its region for the new index without which nothing can be freed. "
        "Nothing is lost, and all snapshots that are left can be restored.",
        "Ask the people of the vault for more room, or an administrator of the portal whether the region is full; then "
        "run strongroom-agent retain again, which goes on from there.",
    )


def _checked(session: Session, result: RetainResult, budget: Budget) -> Done:
    """The portal purges what is in the trash only after a check that passes and began after the deletion."""
    try:
        checked = check.run(session, budget=budget)
    except AgentError as error:
        about = f" {_IN_THE_TRASH}" if result.deleted else ""
        problem = f"{result.remark} The check after it did not pass: {error.problem}{about}"
        details = {**result.details, **error.details}
        raise AgentError(error.code, problem, error.remedy, **details) from error
    text = " ".join(filter(None, [result.remark, result.remedy, checked.message]))
    return Done(text, result.code, result.remedy, {**result.details, "check": checked.details})


def _size(snapshot: Snapshot) -> str:
    """Of all its files; restic before 0.17 did not note that. What it alone needs nobody knows before it is gone."""
    return readable(snapshot.bytes) if snapshot.bytes is not None else ""
