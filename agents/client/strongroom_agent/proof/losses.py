"""Absence is not emptiness: what protected places had at the last good backup and have no more.

A disk that is not mounted looks like an empty folder. So the number of files and their bytes are remembered for each
protected name, for each mount inside and for the folders directly in it, and a loss is told at each run until a person
accepts it.
"""

import os
from dataclasses import dataclass, replace

from strongroom_agent.core import mounts
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import progress
from strongroom_agent.core.patterns import Patterns, Skip
from strongroom_agent.core.sizes import counted, readable
from strongroom_agent.state import protected
from strongroom_agent.state.home import Home
from strongroom_agent.state.protected import Held, Protected

_FILE, _PATTERNS = "protected.json", "protected-without.json"
_HANDFUL = 5
# Less than this may go without a word: logs are truncated, and caches emptied.
NOTICEABLE_BYTES = 10 * 1024**2
# A folder directly in a protected one is missed if it had as many files, or NOTICEABLE_BYTES, and nothing makes up for
# it.
NOTICEABLE_FILES = 20


@dataclass(frozen=True)
class Place:
    """A protected name, or a mount inside of one, or a folder directly in one, at one moment.

    `files` is None when it is not there. `missed` is one that is remembered because its loss has been told.
    """

    name: str
    root: str
    files: int | None
    mounted: bool
    bytes: int = 0
    missed: bool = False

    @property
    def noticeable(self) -> bool:
        """Whether it has so much that it would be missed as a whole."""
        return (self.files or 0) >= NOTICEABLE_FILES or self.bytes >= NOTICEABLE_BYTES

    @property
    def extent(self) -> str:
        """What it has, for the middle of a sentence."""
        return counted(self.files or 0, "file") + (
            f", {readable(self.bytes)}" if self.bytes >= NOTICEABLE_BYTES else ""
        )


@dataclass(frozen=True)
class Loss:
    """A place that has much less than at the last good backup."""

    name: str
    root: str
    had: int
    has: int
    what: str

    @property
    def files(self) -> int:
        """How many files are gone."""
        return max(self.had - self.has, 0)

    def __str__(self) -> str:
        return f"{self.name} {self.what}"


def look(protect: list[Protected], skip: Skip) -> list[Place]:
    """What is there now: each name, the mounts inside of what it means, and the folders directly in it."""
    places: dict[str, Place] = {}
    for each in protect:
        if each.path is None:
            places[each.name] = Place(each.name, each.name, None, mounted=False)
            continue
        inner = [point for point in mounts.points_in(each.path) if not any(mounts.below(point, s) for s in skip)]
        found = protected.count(each.path, skip, inner)
        place = _place_of(each.name, each.name, found.pop(each.path), mounted=mounts.is_point(each.path))
        inside = [
            _place_of(path if path in inner else _named(path, each), each.name, held, mounted=path in inner)
            for path, held in found.items()
        ]
        places = {one.name: one for one in inside} | places | {place.name: place}
    return list(places.values())


def held(places: list[Place]) -> Held:
    """What the protected names have together."""
    named = [place for place in places if place.name == place.root]
    return Held(sum(place.files or 0 for place in named), sum(place.bytes for place in named))


def look_as_before(home: Home, protect: list[Protected], paths: list[str], now: Patterns) -> list[Place] | None:
    """What is there now as it was counted at the last backup, where other patterns left something out then; else None.

    So like is compared with like: what is newly left out is not lost, and what is lost is not hidden by that.
    """
    try:
        kept = (home.read_object(_PATTERNS) or {}).get("patterns", [])
        before = tuple(str(each) for each in kept) if isinstance(kept, list) else ()
        return None if before == now.given else look(protect, Skip(paths, Patterns(before)))
    except AgentError:
        return None


def remember_patterns(home: Home, now: Patterns) -> None:
    """Keep which patterns the figures of this backup were counted with."""
    if now.given or home.path(_PATTERNS).exists():
        home.write_object(_PATTERNS, {"patterns": list(now.given)})


def against(home: Home, now: list[Place]) -> list[Loss]:
    """What is lost against what is remembered. A name that is not there is a loss even if nothing is known of it."""
    before = _remembered(home)
    names = {place.name for place in now}
    roots = {place.name: place for place in now if place.name == place.root and place.files is not None}
    gone = [Place(name, place.root, None, mounted=False) for name, place in before.items() if name not in names]
    looked_at = [
        place
        for place in [*now, *(each for each in gone if each.root in roots)]
        if not _is_made_up_for(before.get(place.name), place, before.get(place.root), roots.get(place.root))
    ]
    return [loss for place in looked_at if (loss := _loss(before.get(place.name), place))]


def total(lost: list[Loss]) -> int:
    """How many files are lost in all; those of a mount or folder inside are among those of its root."""
    whole = {loss.root: loss.files for loss in lost if loss.name == loss.root}
    inside = dict.fromkeys((loss.root for loss in lost), 0)
    for loss in lost:
        if loss.name != loss.root and not any(_is_within(loss, other) for other in lost):
            inside[loss.root] += loss.files
    return sum(max(files, whole.get(root, 0)) for root, files in inside.items())


def remember(home: Home, now: list[Place], lost: list[Loss], *, accept: bool) -> None:
    """Keep the figures of this backup. Those of a loss stay as they were, unless a person accepts it."""
    places = {place.name: place for place in now if place.name == place.root or place.mounted or place.noticeable}
    if not accept:
        before = _remembered(home)
        for loss in lost:
            places |= {name: place for name, place in before.items() if place.root == loss.name}
            if loss.name in before:
                places[loss.name] = replace(before[loss.name], missed=loss.name != loss.root)
            else:
                places.pop(loss.name, None)
    home.write_object(
        _FILE,
        {
            name: {"root": p.root, "files": p.files, "bytes": p.bytes, "mounted": p.mounted, "missed": p.missed}
            for name, p in sorted(places.items())
        },
    )


def forget(home: Home) -> None:
    """Drop the figures, as when the machine leaves its vault."""
    home.remove(_FILE)
    home.remove(_PATTERNS)


def _loss(before: Place | None, now: Place) -> Loss | None:
    """What is lost in one place, if anything; a place that was never seen can only be missing."""
    had = before.files or 0 if before else 0
    has = now.files or 0
    had_bytes = before.bytes if before else 0
    what = ""
    if now.name == now.root and now.files is None:
        accepted = before is not None and before.files is None
        what = "" if accepted else f"is not there{_of(before)}"
    elif before and before.mounted and had and not now.mounted:
        what = f"is not mounted any more{_of(before)}"
    elif had and not has:
        what = f"has become empty{_of(before)}" if now.files is not None else f"is not there any more{_of(before)}"
    elif now.name != now.root and not now.mounted:
        what = ""  # a folder directly in a protected one is missed as a whole, or with that
    elif had - has > _HANDFUL and has * 2 < had:
        what = f"has lost most of its files: {has} of {had} are left"
    elif had_bytes - now.bytes >= NOTICEABLE_BYTES and now.bytes * 2 < had_bytes:
        what = f"has lost most of its bytes: {readable(now.bytes)} of {readable(had_bytes)} are left"
    return Loss(now.name, now.root, had, has, what) if what else None


def _is_made_up_for(before: Place | None, now: Place, root_before: Place | None, root: Place | None) -> bool:
    """Whether a folder directly in a protected one may go without a word: what that has in all has become less by
    less than half of what the folder had. So it is where each day has its folder, and the oldest one is removed.

    What is told already is told on: the figures of the root have gone on since.
    """
    if now.name == now.root or now.mounted or now.files or root is None or root_before is None:
        return False
    if before is None or before.mounted or before.missed:
        return False
    files, length = before.files or 0, before.bytes
    fewer, shorter = (root_before.files or 0) - (root.files or 0), root_before.bytes - root.bytes
    return not (
        (files >= NOTICEABLE_FILES and 2 * fewer >= files) or (length >= NOTICEABLE_BYTES and 2 * shorter >= length)
    )


def _of(before: Place | None) -> str:
    return f"; it had {before.extent}" if before and before.files else ""


def _is_within(loss: Loss, other: Loss) -> bool:
    return other.name not in (loss.name, loss.root) and mounts.below(loss.name, other.name)


def _named(path: str, top: Protected) -> str:
    """A folder directly in what a name means, by that name: links that deployments switch lead elsewhere each time."""
    return os.path.join(top.name, os.path.basename(path))


def _place_of(name: str, root: str, held: Held, *, mounted: bool) -> Place:
    return Place(name, root, held.files, mounted, held.bytes)


def _remembered(home: Home) -> dict[str, Place]:
    try:
        stored = home.read_object(_FILE) or {}
        return {name: _place(name, value) for name, value in stored.items()}
    except (AgentError, TypeError, KeyError) as error:
        progress(f"note: what there was at the last backup is not known ({type(error).__name__}).")
        return {}


def _place(name: str, value: object) -> Place:
    if not isinstance(value, dict) or not isinstance(value["files"], int | None):
        raise TypeError(name)
    length = value.get("bytes")  # not written by older versions
    return Place(
        name,
        str(value["root"]),
        value["files"],
        bool(value["mounted"]),
        length if type(length) is int else 0,
        value.get("missed") is True,
    )
