"""Which files a restore check proves: those that people name, and a draw that nobody outside this machine can foresee.

What is drawn is decided here, after the backup is stored, with the randomness of the operating system. Whoever stores
the backups knows neither the sizes nor the names of files, and hears of the draw only while it is read. They do see
what is read; so no part of the draw may follow from what was read before: each file has a chance in each draw, also the
one that was proven an hour ago.
"""

import heapq
import math
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from strongroom_agent.core.paths import in_snapshot, is_below
from strongroom_agent.restic.snapshots import Listed

from .proven import fingerprint

EVERYTHING_UP_TO = 2 * 1024**3
"""Bytes; a snapshot with no more is proven as a whole, each time."""
_STAGES = 4


@dataclass(frozen=True)
class Budget:
    """How much one sample may hold, in bytes and files, beside what people name.

    `giants`: how many files may be added that no sample of this size can hold; they are read in one piece, and each of
    them may take as long as restoring it takes.
    """

    bytes: int
    files: int
    giants: int = 0


DAILY = Budget(EVERYTHING_UP_TO, 2_000)
WEEKLY = Budget(8 * EVERYTHING_UP_TO, 20_000, giants=1)


@dataclass(frozen=True)
class Sample:
    """The files to prove; `named` counts the named ones, `missing` are the named paths that the snapshot has not."""

    files: list[Listed]
    named: int = 0
    missing: tuple[str, ...] = ()


def draw(
    files: list[Listed],
    proven: Mapping[int, int],
    budget: Budget,
    always: Iterable[str] = (),
    by: random.Random | None = None,
) -> Sample:
    """Everything when that is little; else what `always` names (paths of this machine), and a draw from the rest.

    `proven` says on which day each file, by its fingerprint, was proven last. `by` is for tests: without it the
    operating system draws.
    """
    wanted = {path: in_snapshot(path) for path in always}
    named = {path: [each for each in files if is_below(each.path, place)] for path, place in wanted.items()}
    missing = tuple(path for path, found in named.items() if not found)
    chosen = list({id(each): each for found in named.values() for each in found}.values())
    if sum(each.size for each in files) <= EVERYTHING_UP_TO:
        return Sample(files, len(chosen), missing)
    taken = {id(each) for each in chosen}
    rest = [each for each in files if id(each) not in taken]
    return Sample(chosen + _drawn(rest, proven, budget, by or random.SystemRandom()), len(chosen), missing)


def _drawn(files: list[Listed], proven: Mapping[int, int], budget: Budget, by: random.Random) -> list[Listed]:
    """A quarter of the room for each: those never proven, those proven longest ago, large ones, and any.

    The order of the quarters is drawn as well: the first one has all the room, and can take a file that fills it. What
    is left over goes to any.
    """
    fitting = [each for each in files if each.size <= budget.bytes]
    stages: list[Callable[[], list[Listed]]] = [
        lambda: _shuffled((each for each in fitting if fingerprint(each) not in proven), by),
        lambda: _longest_ago(fitting, proven, by),
        lambda: _large_first(fitting, budget.files, by),
        lambda: _shuffled(fitting, by),
    ]
    basket = _Basket(budget)
    for stage in by.sample(stages, len(stages)):
        basket.fill(stage(), budget.bytes // _STAGES, math.ceil(budget.files / _STAGES))
    basket.fill(_shuffled(fitting, by), budget.bytes, budget.files)
    giants = _giants(files, proven, budget, by)
    # One file that is larger than all the room is still better proven than none.
    return basket.files + giants or [min(files, key=lambda each: each.size)] if files else []


class _Basket:
    """What was drawn so far."""

    def __init__(self, budget: Budget) -> None:
        self.files: list[Listed] = []
        self._in = set[int]()
        self._bytes_left, self._files_left = budget.bytes, budget.files

    def fill(self, order: Iterable[Listed], most_bytes: int, most_files: int) -> None:
        """Take from the front until that much was taken; what does not fit any more is passed over."""
        for each in order:
            if most_bytes <= 0 or most_files <= 0 or self._files_left <= 0:
                return
            if each.size > self._bytes_left or id(each) in self._in:
                continue
            self.files.append(each)
            self._in.add(id(each))
            self._bytes_left -= each.size
            self._files_left -= 1
            most_bytes, most_files = most_bytes - each.size, most_files - 1


def _shuffled(files: Iterable[Listed], by: random.Random) -> list[Listed]:
    order = list(files)
    by.shuffle(order)
    return order


def _longest_ago(files: list[Listed], proven: Mapping[int, int], by: random.Random) -> list[Listed]:
    """Those that were proven, the oldest proof first; of one day in any order."""
    dated = [(proven[key], by.random(), each) for each in files if (key := fingerprint(each)) in proven]
    return [each for _, _, each in sorted(dated, key=lambda item: item[:2])]


def _large_first(files: list[Listed], most: int, by: random.Random) -> list[Listed]:
    """A draw in which a file is as likely to come first as it is large (Efraimidis and Spirakis), at most so many."""
    weighed = ((math.log(1.0 - by.random()) / (each.size + 1), number) for number, each in enumerate(files))
    return [files[number] for _, number in heapq.nlargest(most, weighed)]


def _giants(files: list[Listed], proven: Mapping[int, int], budget: Budget, by: random.Random) -> list[Listed]:
    """Of the files that no sample can hold as many as the budget says: half of the time the one that has waited
    longest, else any."""
    order = _shuffled((each for each in files if each.size > budget.bytes), by)
    if by.random() < 0.5:
        order.sort(key=lambda each: proven.get(fingerprint(each), -1))
    return order[: budget.giants]
