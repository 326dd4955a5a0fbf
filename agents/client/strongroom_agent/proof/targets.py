"""The folder that is restored to: new or empty, or with `--overwrite` cleared of what stands in the way."""

import contextlib
import errno
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from strongroom_agent.core.errors import READ_ONLY_REMEDY, AgentError, why
from strongroom_agent.core.paths import is_below
from strongroom_agent.restic.engine import Engine
from strongroom_agent.restic.snapshots import Contents

from . import arrived, handles
from .set_aside import Aside

_SHOWN = 20
_READ_ONLY = OSError(errno.EROFS, os.strerror(errno.EROFS))
_FRESH_DISK = "lost+found"  # every new file system of the ext family has it


@dataclass(frozen=True)
class Target:
    """Where to restore: the name that people know it by, and the path that all is written and read through.

    They differ while the folder is held by a handle. What people see, or programs read, has the name.
    """

    name: str
    path: str

    @classmethod
    def by_name(cls, name: str) -> "Target":
        """A target that is not held."""
        return cls(name, name)

    @property
    def for_engine(self) -> str:
        """The path for restic, to whom one that ends with a link is something in the way of a folder."""
        return self.path if self.path == self.name else f"{self.path}/"

    @property
    def is_at_its_name(self) -> bool:
        """Whether the name still leads to the folder that was restored to."""
        try:
            return self.path == self.name or os.path.samestat(os.lstat(self.name), os.stat(self.path))
        except OSError:
            return False

    def spoken(self, text: str) -> str:
        """A text as people may read it, with the name where the path stands."""
        if self.path == self.name:
            return text
        return re.sub(re.escape(self.path) + r"(?!\d)", lambda _: self.name, text)

    def in_words(self, error: AgentError) -> AgentError:
        """The error, as people and programs may read it."""
        error.args = tuple(self._value(each) for each in error.args)
        error.problem, error.remedy = self.spoken(error.problem), self.spoken(error.remedy)
        error.details = {name: self._value(each) for name, each in error.details.items()}
        return error

    @contextlib.contextmanager
    def speaking(self) -> Iterator[None]:
        """Whatever is raised in the block is raised in words for people."""
        try:
            yield
        except AgentError as error:
            self.in_words(error)
            raise
        except OSError as error:
            if isinstance(error.filename, str):  # set to None, it would be printed
                error.filename = self.spoken(error.filename)
            raise

    def _value(self, value: object) -> object:
        if isinstance(value, list):
            return [self._value(each) for each in value]
        return self.spoken(value) if isinstance(value, str) else value


@contextlib.contextmanager
def prepared(text: str, *, overwrite: bool, engine: Engine) -> Iterator[Target]:
    """The target, made if it is not there, while a restore runs; what was made for it and stays empty goes again.

    When root restores to a new or empty folder, it is closed to all others and reached by its handle alone, wherever
    its name leads meanwhile. AgentError `target_not_empty` when something is in it and it was not said that this may be
    overwritten, `target_unusable` when it cannot be written to or held.
    """
    if overwrite:
        engine.must_be_recent("--overwrite")
    if not overwrite and handles.used():
        with _held(text) as target:
            yield target
        return
    made = _lacking(text)
    try:
        yield Target.by_name(_made(text, overwrite=overwrite))
    finally:
        handles.remove_empty(made)


def _made(text: str, *, overwrite: bool) -> str:
    try:
        target = Path(os.path.realpath(text))
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        inside = sorted(os.listdir(target))
    except (OSError, ValueError) as error:
        raise _unusable(text, error) from error
    if inside == [_FRESH_DISK] and (target / _FRESH_DISK).is_dir():
        inside = []
    if inside and not overwrite:
        raise _not_empty(str(target), inside[0])
    if _is_read_only(target):
        raise _unusable(str(target), _READ_ONLY)
    if not os.access(target, os.W_OK | os.X_OK):
        raise _unusable(str(target), PermissionError(13, "Permission denied"))
    return str(target)


def _lacking(text: str) -> list[str]:
    """The folders that `_made` will make for this target, the innermost first."""
    with contextlib.suppress(OSError, ValueError):
        target = Path(os.path.realpath(text))
        return [str(each) for each in (target, *target.parents) if not os.path.lexists(each)]
    return []


@contextlib.contextmanager
def _held(text: str) -> Iterator[Target]:
    with contextlib.ExitStack() as until_the_end:
        try:
            folder = until_the_end.enter_context(handles.opened(text, make=True))
        except OSError as error:
            raise (_not_held if error.errno == errno.EPERM else _unusable)(text, error) from error
        except ValueError as error:
            raise _unusable(text, error) from error
        until_the_end.callback(handles.remove_empty, folder.made)
        if _is_read_only(folder.handle):
            raise _unusable(folder.name, _READ_ONLY)
        try:
            _require_empty(folder)
            until_the_end.enter_context(handles.closed_to_others(folder.handle))
            _require_empty(folder)  # of what may have come before it was closed
            path = handles.path_of(folder.handle)
        except OSError as error:
            raise _not_held(folder.name, error) from error
        if path is None:
            raise _not_held(folder.name, FileNotFoundError(2, "there is no /proc, through which it would be held"))
        yield Target(folder.name, path)


def _is_read_only(folder: Path | int) -> bool:
    """Whether its disk takes nothing, even of root; where the system does not tell, that is found later."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except (AttributeError, OSError):
        return False


def _require_empty(folder: handles.Opened) -> None:
    inside = sorted(os.listdir(folder.handle))
    if inside and not (inside == [_FRESH_DISK] and handles.holds_nothing_of_others(folder.handle, _FRESH_DISK)):
        raise _not_empty(folder.name, inside[0])


def clear(target: str, roots: list[str], found: Contents, aside: Aside) -> None:
    """Set aside what a restore would write through or to: links, pipes and devices where files or folders belong, and
    files that have other names too, which may lie anywhere.

    AgentError `target_in_the_way`, before anything is changed, for folders that would have to be deleted.
    """
    kinds: dict[str, set[str]] = defaultdict(set)
    for path in (each.path for each in found.files):
        kinds[path].add("file")
    for other in found.others:
        kinds[other.path].add(other.kind)
    risky: list[str] = []
    blocked: list[str] = []
    for each in arrived.entries(target, roots):
        if each.path not in kinds:
            continue
        wanted = kinds[each.path]
        if each.kind == "dir":
            if "dir" not in wanted and os.listdir(each.real):
                blocked.append(each.real)
        elif "dir" in wanted or (each.kind != "file" and "file" in wanted):
            on_the_way = any(is_below(root, each.path) and root != each.path for root in roots)
            (blocked if target == os.sep and on_the_way else risky).append(each.real)
        elif each.kind == "file" and each.links > 1:
            risky.append(each.real)
    if blocked:
        raise _in_the_way(blocked)
    for real in risky:
        try:
            aside.put(real)
        except OSError as error:
            aside.settle(proven=False)
            raise AgentError(
                "target_in_the_way",
                f"{real} cannot be replaced: {why(error)}.",
                "Move it away, or restore to another folder.",
            ) from error


def _in_the_way(blocked: list[str]) -> AgentError:
    more = f" and {len(blocked) - 1} more" if len(blocked) > 1 else ""
    return AgentError(
        "target_in_the_way",
        f"Nothing was restored: {blocked[0]}{more} is a folder with something in it, or a link to one, where the "
        "backup has something else.",
        "Move it away yourself, or restore to another folder.",
        in_the_way_first=blocked[:_SHOWN],
    )


def _not_empty(target: str, inside: str) -> AgentError:
    return AgentError(
        "target_not_empty",
        f"The folder {target} is not empty: {inside} is in it.",
        "Give --target a new or empty folder, or add --overwrite to replace what differs in this one.",
    )


def _not_held(target: str, error: OSError) -> AgentError:
    return AgentError(
        "target_unusable",
        f"The folder {target} cannot be used: {why(error)}.",
        "Give --target a folder that only this user can change; or add --overwrite, if nobody else will change "
        "anything in this one meanwhile.",
    )


def _unusable(text: str, error: Exception) -> AgentError:
    reason = why(error) if isinstance(error, OSError) else str(error)
    return AgentError(
        "target_unusable",
        f"The folder {text} cannot be used: {reason}.",
        READ_ONLY_REMEDY if error is _READ_ONLY else "Give --target a folder that this user may write to.",
    )
