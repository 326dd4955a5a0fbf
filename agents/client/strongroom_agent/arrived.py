"""What a restore has left in its target folder, under the names that a snapshot gives it."""

import os
from collections.abc import Iterable

from .paths import as_listed, is_below
from .snapshots import Listed


def missing(target: str, roots: list[str], files: Iterable[Listed], others: Iterable[str]) -> list[str]:
    """Which of the files are not below `target` in full length, and which of the others are not there at all.

    `roots` are the paths of the snapshot that were restored: `target` may be a whole disk, and only they matter.
    """
    found = _sizes(target, roots)
    return [
        *(each.path for each in files if found.get(each.path) != each.size),
        *(path for path in others if path not in found),
    ]


def _sizes(target: str, roots: list[str]) -> dict[str, int]:
    """The size of everything that is there in and on the way to the roots."""
    found: dict[str, int] = {}
    for folder, folders, names in os.walk(target):
        here = as_listed(os.path.relpath(folder, target).replace(os.sep, "/"))
        above = "" if here == "." else f"/{here}"
        for name in [*folders, *names]:
            try:
                found[f"{above}/{as_listed(name)}"] = os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue  # gone since it was listed, or closed to us: then it has not arrived
        folders[:] = [name for name in folders if _matters(f"{above}/{as_listed(name)}", roots)]
    return found


def _matters(path: str, roots: list[str]) -> bool:
    return any(is_below(path, root) or is_below(root, path) for root in roots)
