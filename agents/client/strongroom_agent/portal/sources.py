"""Where this machine's backups can be read: the first region, and the paired one for what that lacks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from strongroom_agent.core.errors import AgentError, usage
from strongroom_agent.core.output import progress
from strongroom_agent.restic.process import Restic
from strongroom_agent.state.identity import Repository
from strongroom_agent.state.session import Session

from .diagnosis import judged, names, objects
from .storage import missing

T = TypeVar("T")
# With these another region may do better. Everything else is about this machine, or a refusal: those are final.
_ELSEWHERE = frozenset(
    {
        "network",
        "unavailable",
        "repository_missing",
        "repository_damaged",
        "repository_locked",
        "passphrase_wrong",
        "snapshot_unknown",
        "engine_failed",
    }
)

_DAMAGED = frozenset({"repository_damaged", "engine_failed"})  # restic panics at some damaged objects
_TURNS = 50  # how often the regions are asked in turn, at a second each


@dataclass(frozen=True)
class Read(Generic[T]):
    """What was read, from which repository, and why that is not the first one, if so."""

    value: T
    repository: Repository
    note: str = ""


def candidates(session: Session, region: str | None) -> list[Repository]:
    """The repositories to read from, in order: all of them, or the one in the named region."""
    known = session.identity.repositories
    return known if region is None else [_named(known, region)]


def read(session: Session, region: str | None, work: Callable[[Restic, Repository], T]) -> Read[T]:
    """Do `work` on the first region where it can be done.

    A refusal (403) is final; a region that is gone, silent or damaged makes it try the next one. Only where all are
    damaged each is tried again, as long as it comes further: the cache, which they share, keeps what the others still
    had. When none will do, the first one's error is raised.
    """
    first: AgentError | None = None
    before: dict[str, str] = {}
    for turn in range(_TURNS):
        errors: dict[str, AgentError] = {}
        for repository in candidates(session, region):
            try:
                value = attempt(session, repository, work)
            except AgentError as error:
                if not may_be_elsewhere(error):
                    raise
                first = first or error
                errors[repository.region] = error
                continue
            note = _note(first, repository, together=turn > 0)
            if note:
                progress(f"note: {note}")
            return Read(value, repository, note)
        now = {name: error.problem for name, error in errors.items() if error.code in _DAMAGED}
        if len(errors) < 2 or len(now) < len(errors) or now == before:
            break  # a region that is silent costs much time at each turn, and gives nothing to put together
        before = now
    raise first or AgentError("answer_not_understood", "There is no repository at all.")


def attempt(session: Session, repository: Repository, work: Callable[[Restic, Repository], T]) -> T:
    """Do `work` on one repository. What goes wrong is raised as what it really is."""
    try:
        if not session.storage.exists(repository):
            raise missing(repository)
        return work(session.unlocked(repository), repository)
    except AgentError as error:
        better = judged(session.storage, repository, error)
        session.damaged |= names(objects(better))
        raise better from error


def may_be_elsewhere(error: AgentError) -> bool:
    """Whether another region may have what this one could not give."""
    return error.code in _ELSEWHERE


def _named(known: Iterable[Repository], region: str) -> Repository:
    listed = list(known)
    for repository in listed:
        if repository.region.casefold() == region.casefold():
            return repository
    names = ", ".join(each.region for each in listed)
    raise usage(f"There is no copy in region {region}.", f"There is one in: {names}.")


def _note(failure: AgentError | None, repository: Repository, *, together: bool) -> str:
    if failure is None:
        return ""
    if together:
        return f"{failure.problem} The list of what there is was put together from what each region still has."
    return f"{failure.problem} Reading from the copy in region {repository.region} instead."
