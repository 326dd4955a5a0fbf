"""What is protected: what the names that setup was given mean at the moment, and what inside it is left out."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from strongroom_agent.core import mounts
from strongroom_agent.core.errors import usage
from strongroom_agent.core.patterns import Skip


@dataclass(frozen=True)
class Protected:
    """A name to protect and the real path that it means now; None when there is nothing."""

    name: str
    path: str | None


@dataclass(frozen=True)
class Held:
    """How many regular files there are somewhere, and how long they are together, in bytes."""

    files: int = 0
    bytes: int = 0

    def __add__(self, other: "Held") -> "Held":
        return Held(self.files + other.files, self.bytes + other.bytes)


def named(given: str) -> str:
    """The absolute name of something to protect. Links stay in it: what they lead to is asked at each run.

    AgentError `usage` for what cannot be the path of anything here.
    """
    try:
        path = os.path.expanduser(given)
        if ".." in Path(path).parts:
            return os.path.realpath(path)  # "link/.." is not where it seems to be
        return os.path.abspath(path)
    except (OSError, ValueError) as error:
        raise usage(f"{given!r} is not a path of this machine: {error}.", "Give the full path.") from error


def resolve(name: str) -> Protected:
    """What a name means now: a link that a deployment switches leads to another folder each time."""
    try:
        path = os.path.realpath(name, strict=True)
        os.lstat(path)
    except (OSError, ValueError):
        return Protected(name, None)
    return Protected(name, path)


def left_out(roots: list[str], *, network: bool) -> dict[str, str]:
    """Mount points inside the real paths `roots` that are not backed up, and their kinds.

    What does not exist on any disk, and what another computer holds unless `network`. What is itself named is kept.
    """
    return {
        point: kind
        for root in roots
        for point, kind in mounts.points_in(root).items()
        if mounts.is_pseudo(kind) or (mounts.is_network(kind) and not network)
        if point not in roots
    }


def excludes(points: list[str], roots: list[str]) -> list[str]:
    """The paths to exclude so that `points` are left out, and roots inside them are not."""
    return [path for point in sorted(points) for path in _without(point, roots)]


def _without(path: str, roots: list[str]) -> Iterator[str]:
    if path in roots:
        return
    if not any(mounts.below(root, path) for root in roots):
        yield path
        return
    for name in sorted(os.listdir(path)):
        yield from _without(os.path.join(path, name), roots)


def count(path: str, skip: Skip, inner: list[str]) -> dict[str, Held]:
    """What is at a real path, in each folder directly in it, and at each of the mount points `inner`, without `skip`.

    A link counts for nothing. What cannot be read counts for nothing either: the backup names it.
    """
    found = {place: Held() for place in (path, *inner)}
    if os.path.isdir(path):
        _count(path, skip, found)
    else:
        found[path] = Held(1, os.lstat(path).st_size)
    return found


def _count(top: str, skip: Skip, found: dict[str, Held]) -> None:
    """Add up the files of a folder for all places that it is within."""
    todo = [(top, [top])]
    while todo:
        folder, within = todo.pop()
        try:
            entries = os.scandir(folder)
        except OSError:
            continue
        files = size = 0  # not a Held for each file: there can be millions
        with entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.path not in skip:
                        if folder == top:
                            found.setdefault(entry.path, Held())
                        todo.append((entry.path, [*within, entry.path] if entry.path in found else within))
                elif entry.is_file(follow_symlinks=False) and entry.path not in skip:
                    files += 1
                    with contextlib.suppress(OSError):  # it has vanished, or cannot be read
                        size += entry.stat(follow_symlinks=False).st_size
        for place in within:
            found[place] += Held(files, size)
