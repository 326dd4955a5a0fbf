"""What is protected: what the names that setup was given mean at the moment, and what inside it is left out."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import mounts
from .errors import usage


@dataclass(frozen=True)
class Protected:
    """A name to protect and the real path that it means now; None when there is nothing."""

    name: str
    path: str | None


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


def count(path: str, skip: frozenset[str], inner: list[str]) -> dict[str, int]:
    """The number of files at a real path, and at each of the mount points `inner` inside it, all without `skip`."""
    found = dict.fromkeys([path, *inner], 0)
    if os.path.isdir(path):
        _count(path, [path], skip, found)
    else:
        found[path] = 1
    return found


def _count(folder: str, within: list[str], skip: frozenset[str], found: dict[str, int]) -> None:
    """Add up the files of a folder for all places that it is within; no stat, since there may be millions."""
    todo = [(folder, within)]
    while todo:
        folder, within = todo.pop()
        try:
            entries = os.scandir(folder)
        except OSError:
            continue  # the backup names what cannot be read
        files = 0
        with entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.path not in skip:
                        todo.append((entry.path, [*within, entry.path] if entry.path in found else within))
                elif entry.is_file(follow_symlinks=False):
                    files += 1
        for place in within:
            found[place] += files
