"""In which batches the files of a restore check fit the scratch folder."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from strongroom_agent.restic.snapshots import Listed

# What one command line may hold; Windows allows 32,767 characters in all.
_PATTERN_ROOM = 20_000 if sys.platform == "win32" else 90_000
_PATTERNS = 400


@dataclass(frozen=True)
class Batch:
    """Files restored together. `include` empty means the whole snapshot."""

    files: list[Listed]
    include: list[str]


def split(files: list[Listed], room: int) -> tuple[list[Listed], list[Listed]]:
    """Files that fit into `room` bytes one by one, and those that don't."""
    fitting = [each for each in files if each.size <= room]
    return fitting, [each for each in files if each.size > room]


def groups(patterns: list[str]) -> Iterable[list[str]]:
    """As many patterns at a time as a command line may hold."""
    group: list[str] = []
    length = 0
    for each in patterns:
        if group and (length > _PATTERN_ROOM or len(group) >= _PATTERNS):
            yield group
            group, length = [], 0
        group.append(each)
        length += len(each.encode("utf-8", "surrogateescape"))
    if group:
        yield group


def batches(fitting: list[Listed], snapshot: list[Listed], room: int) -> Iterable[Batch]:
    """Groups of at most `room` bytes, few patterns each; one group without patterns if all fits."""
    if len(fitting) == len(snapshot) and sum(each.size for each in fitting) <= room:
        yield Batch(fitting, [])
        return
    group: list[Listed] = []
    size = length = 0
    for each in sorted(fitting, key=lambda each: each.path):
        full = size + each.size > room or length > _PATTERN_ROOM
        if group and (full or len(group) >= _PATTERNS):
            yield Batch(group, [one.path for one in group])
            group, size, length = [], 0, 0
        group.append(each)
        size += each.size
        length += 2 * len(each.path.encode("utf-8", "surrogateescape"))
    if group:
        yield Batch(group, [one.path for one in group])
