"""Restores of a machine's files, by either engine, and what they leave."""

from pathlib import Path

from .stored import truth
from .world import Ran, World

OLD = "/usr/bin/restic"


def engine(old: bool) -> dict[str, str]:
    """The environment for an engine."""
    return {"RESTIC": OLD} if old else {}


def restore(world: World, *more: str, name: str = "out", **environment: str) -> Ran:
    """Restore to a folder of that name."""
    return world.run("restore", "--target", str(world.root / name), *more, **environment)


def restored(world: World, name: str = "out") -> dict[str, bytes]:
    """What a restore has left under the names that it should have."""
    return truth(Path(f"{world.root}/{name}{world.source}"))
