"""One restore: from one region after the other, until every file is proven or no region has what is lacking."""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import progress
from strongroom_agent.core.paths import is_below, pattern
from strongroom_agent.core.sizes import counted
from strongroom_agent.core.trees import empty
from strongroom_agent.portal.sources import attempt, may_be_elsewhere
from strongroom_agent.restic.errors import is_full, is_of_the_place
from strongroom_agent.restic.process import Restic
from strongroom_agent.restic.snapshots import Contents, Item, Listed, Other
from strongroom_agent.state.identity import Repository
from strongroom_agent.state.session import Session

from . import arrived, restoring, targets
from .arrived import Arrived
from .include import Part
from .restoring import Attempt
from .selection import groups
from .set_aside import UNPROVEN, Aside, remove, rename
from .targets import Target

NOT_THERE = "it is not there in full"
WRONGLY_LINKED = "it became one with another file, whose content differs"
_TOO_LONG = "file name too long"
_PATH_LIMIT = 4096 - 1  # bytes
T = TypeVar("T")


def _file_clock() -> int:
    """Now, by the clock that stamps changes of files: it lags behind the other by some milliseconds."""
    coarse = getattr(time, "CLOCK_REALTIME_COARSE", None)
    return time.time_ns() if coarse is None else time.clock_gettime_ns(coarse)


@dataclass
class Recovery:
    """What is to be restored to where, and how far it is."""

    session: Session
    found: Contents
    parts: list[Part]
    target: Target
    overwrite: bool
    files: list[Listed]
    others: list[Other]
    aside: Aside = field(default_factory=Aside)
    began_ns: int = field(default_factory=_file_clock)
    failed: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    regions: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)  # about items that the first region could not give
    error: AgentError | None = None  # why the last region could not go on
    renamed: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)  # not proven, and still under their names
    alone: set[str] = field(default_factory=set)  # files that restic wrongly made one: restored one by one

    @property
    def roots(self) -> list[str]:
        """The paths of the snapshot that are restored."""
        return [part.listed for part in self.parts] or self.found.roots

    @property
    def items(self) -> Iterator[Item]:
        """Everything that is asked for."""
        yield from self.files
        yield from self.others

    @property
    def proven(self) -> list[Listed]:
        """The files that are there, with the content that the snapshot recorded."""
        return [each for each in self.files if each.path not in self.failed]

    @property
    def unproven(self) -> list[Listed]:
        """The files that are not."""
        return [each for each in self.files if each.path in self.failed]

    def run(self, repositories: list[Repository]) -> None:
        """Restore, from the first of the repositories and what that lacks from the others.

        Whatever ends it, no file that is not proven keeps its name.
        """
        self.failed = {each.path: NOT_THERE for each in self.items}
        try:
            if self.overwrite:
                targets.clear(self.target.path, self.roots, self.found, self.aside)
            self._from_each(repositories)
        finally:
            self._set_aside()

    def _from_each(self, repositories: list[Repository]) -> None:
        first, others = repositories[0], repositories[1:]
        self._pass(first, None)
        if alone := sorted(self.alone):
            self._unmake(alone)
            for path in alone:
                self._pass(first, [path])
        if self.failed and self.overwrite and not self.error and self._free_the_place():
            self._pass(first, sorted(self.failed))
        for repository in others:
            if not self.failed or not self._may_go_on():
                break
            again = sorted(path for path, said in self.failed.items() if not is_of_the_place(said))
            if not again:
                break
            progress(f"note: {counted(len(again), 'item')} tried again from region {repository.region}.")
            self._pass(repository, None if self.error else again)

    def _may_go_on(self) -> bool:
        full = any(is_full(reason) for reason in self.failed.values())
        return not full and (self.error is None or may_be_elsewhere(self.error))

    def _pass(self, repository: Repository, only: list[str] | None) -> None:
        """Restore everything, or only some paths, from one repository."""
        try:
            attempt(self.session, repository, lambda restic, _: self._restore(restic, repository, only))
        except AgentError as error:
            self.error = error
            if not may_be_elsewhere(error):
                raise

    def _restore(self, restic: Restic, repository: Repository, only: list[str] | None) -> None:
        recent = self.session.engine.recent
        if only is None:
            if not recent:
                empty(self.target.path)
            self._take(self._run(restic, [part.pattern for part in self.parts], recent), repository)
            return
        if not recent:
            self._unmake(only)
        for group in groups(only):
            self._take(self._run(restic, [pattern(path) for path in group], recent), repository, group)

    def _run(self, restic: Restic, include: list[str], recent: bool) -> Attempt:
        done = restoring.restore(restic, self.found, include, self.target.for_engine, recent=recent)
        return replace(
            done,
            failed=self._spoken(done.failed),
            attributes=self._spoken(done.attributes),
            error=done.error and self.target.in_words(done.error),
            doubtful=self._spoken(done.doubtful),
        )

    def _spoken(self, said: dict[str, str]) -> dict[str, str]:
        return {path: self.target.spoken(text) for path, text in said.items()}

    def _take(self, done: Attempt, repository: Repository, only: list[str] | None = None) -> None:
        """Note what a restore has proven. AgentError when that is nothing."""
        if repository == self.session.primary:
            self.said += done.failed.values()
        if done.error is not None:
            raise done.error
        self.error = None
        there = self._survey()
        self._settle_alike(there)
        self.alone = there.wrongly_linked(self.files)
        lacking = dict.fromkeys(there.missing(self.files, self.others), NOT_THERE)
        lacking |= dict.fromkeys(self.alone, WRONGLY_LINKED)
        lacking |= dict.fromkeys(self._out_of_reach(there), _TOO_LONG)
        mine = {each.path for each in self.items}
        asked = mine if only is None else mine & set(only)
        of_asked = [each for each in self.items if each.path in asked]
        kept = {path: said for path, said in self.attributes.items() if path not in asked}
        self.attributes = {**kept, **there.owned_otherwise(of_asked), **done.attributes}
        for path in asked | (mine & done.failed.keys()):
            said = done.about(path)
            if said is not None or path in lacking:
                self.failed[path] = said or self._known(path) or lacking.get(path, NOT_THERE)
            else:
                self.failed.pop(path, None)
        proven = asked - self.failed.keys()
        self.regions[repository.region] += sum(each.path in proven for each in self.files)

    def _out_of_reach(self, there: Arrived) -> list[str]:
        """What could be made by the shorter path of a handle, and is too deep for anybody who opens it by name."""
        more = len(os.fsencode(self.target.name)) - len(os.fsencode(self.target.path))
        longest = _PATH_LIMIT - max(0, more)
        return [
            path for path, found in there.real.items() if any(len(os.fsencode(each.real)) > longest for each in found)
        ]

    def _known(self, path: str) -> str:
        """What was said about a file before, if that says more than that it lacks."""
        said = self.failed.get(path, "")
        return "" if said in (NOT_THERE, WRONGLY_LINKED) else said

    def _settle_alike(self, there: Arrived) -> None:
        """Of several whose names a listing cannot tell apart one was asked for: those that came are what is meant."""
        for part in self.parts:
            alike = sum(each.path == part.listed for each in self.items)
            if part.exact and alike > 1:
                came, kinds = Counter(there.files), Counter(there.others)
                self.files = [
                    each
                    for each in self.files
                    if not is_below(each.path, part.listed) or _taken(came, each.path, each.size)
                ]
                self.others = [
                    each
                    for each in self.others
                    if not is_below(each.path, part.listed) or _taken(kinds, each.path, each.kind)
                ]

    def _survey(self) -> Arrived:
        return arrived.survey(self.target.path, self.roots)

    def _unmake(self, paths: Iterable[str]) -> None:
        """Make way for another attempt at these files: what we made goes, what was there before is set aside."""
        there = self._survey()
        for entry in (each for path in paths for each in there.real.get(path, []) if each.kind != "dir"):
            if self.overwrite and entry.ctime_ns < self.began_ns:
                self.aside.put(entry.real)
            else:
                remove(entry.real)

    def _free_the_place(self) -> bool:
        """Set aside files from before that restic could not replace; whether there were any."""
        there = self._survey()
        before = [each for path in self.failed for each in there.real.get(path, []) if each.kind != "dir"]
        moved = False
        for each in before:
            if each.ctime_ns < self.began_ns and each.real not in self.aside.moved:
                try:
                    self.aside.put(each.real)
                except OSError:
                    continue
                moved = True
        return moved

    def _set_aside(self) -> None:
        """Rename files that are not proven; what was there before and is untouched keeps its name."""
        there = self._survey() if self.failed else Arrived()
        for path in self.failed:
            for each in there.real.get(path, []):
                if each.kind == "file" and (not self.overwrite or each.ctime_ns >= self.began_ns):
                    try:
                        self.renamed.append(self.target.spoken(rename(each.real, UNPROVEN)))
                    except OSError:
                        self.stuck.append(self.target.spoken(each.real))
        self.renamed += self.aside.settle(proven=not self.failed)


def _taken(count: Counter[tuple[str, T]], path: str, what: T) -> bool:
    """Whether there is one more of it, which is taken."""
    if not count[path, what]:
        return False
    count[path, what] -= 1
    return True
