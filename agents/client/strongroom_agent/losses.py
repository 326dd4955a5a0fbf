"""Absence is not emptiness: what protected places had at the last good backup and have no more.

A disk that is not mounted looks like an empty folder. So the number of files is remembered for each protected name and
for each mount inside, and a loss is told at each run until a person accepts it.
"""

from dataclasses import dataclass

from . import mounts, protected
from .errors import AgentError
from .home import Home
from .output import progress
from .protected import Protected

_FILE = "protected.json"
_HANDFUL = 5


@dataclass(frozen=True)
class Place:
    """A protected name, or a mount inside of one, at one moment; `files` is None when it is not there."""

    name: str
    root: str
    files: int | None
    mounted: bool


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


def look(protect: list[Protected], skip: frozenset[str]) -> list[Place]:
    """What is there now: each name, and the mounts inside of what it means."""
    places: dict[str, Place] = {}
    for each in protect:
        if each.path is None:
            places[each.name] = Place(each.name, each.name, None, mounted=False)
            continue
        inner = [point for point in mounts.points_in(each.path) if not any(mounts.below(point, s) for s in skip)]
        found = protected.count(each.path, skip, inner)
        places |= {point: Place(point, each.name, found[point], mounted=True) for point in inner}
        places[each.name] = Place(each.name, each.name, found[each.path], mounts.is_point(each.path))
    return list(places.values())


def against(home: Home, now: list[Place]) -> list[Loss]:
    """What is lost against what is remembered. A name that is not there is a loss even if nothing is known of it."""
    before = _remembered(home)
    names = {place.name for place in now}
    roots = {place.name for place in now if place.name == place.root and place.files is not None}
    gone = [Place(name, place.root, None, mounted=False) for name, place in before.items() if name not in names]
    found = (_loss(before.get(place.name), place) for place in [*now, *gone] if place in now or place.root in roots)
    return [loss for loss in found if loss]


def total(lost: list[Loss]) -> int:
    """How many files are lost in all; those of a mount inside are among those of its root."""
    roots = {loss.root: 0 for loss in lost}
    for loss in lost:
        roots[loss.root] = max(roots[loss.root], loss.files)
    return sum(roots.values())


def remember(home: Home, now: list[Place], lost: list[Loss], *, accept: bool) -> None:
    """Keep the figures of this backup. Those of a loss stay as they were, unless a person accepts it."""
    places = {place.name: place for place in now}
    if not accept:
        before = _remembered(home)
        for loss in lost:
            if loss.name in before:
                places[loss.name] = before[loss.name]
            else:
                places.pop(loss.name)
    home.write_object(
        _FILE,
        {name: {"root": p.root, "files": p.files, "mounted": p.mounted} for name, p in sorted(places.items())},
    )


def forget(home: Home) -> None:
    """Drop the figures, as when the machine leaves its vault."""
    home.remove(_FILE)


def _loss(before: Place | None, now: Place) -> Loss | None:
    """What is lost in one place, if anything; a place that was never seen can only be missing."""
    had = before.files or 0 if before else 0
    has = now.files or 0
    what = ""
    if now.name == now.root and now.files is None:
        accepted = before is not None and before.files is None
        what = "" if accepted else f"is not there{_of(had)}"
    elif before and before.mounted and had and not now.mounted:
        what = f"is not mounted any more{_of(had)}"
    elif had and not has:
        what = f"has become empty{_of(had)}"
    elif had - has > _HANDFUL and has * 2 < had:
        what = f"has lost most of its files: {has} of {had} are left"
    return Loss(now.name, now.root, had, has, what) if what else None


def _of(had: int) -> str:
    return f"; it had {had} files" if had else ""


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
    return Place(name, str(value["root"]), value["files"], bool(value["mounted"]))
