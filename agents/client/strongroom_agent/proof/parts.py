"""Which part of the packs a check reads where all of them are too many, and when each was read last.

restic has three ways to read a part. By size, and by percentage, it shuffles the packs with a generator that it seeds
with the time of day: whoever stores them could try out the seeds while the first ones are read, and know the rest. Of
the third, part n of t by the first byte of the names, everybody knows the t parts beforehand, and nobody which one it
will be: n is drawn here with the randomness of the operating system.
"""

import random
from collections.abc import Sequence

from strongroom_agent.core.errors import AgentError
from strongroom_agent.state.home import Home

_FILE = "parts-read.json"
PARTS = 256
"""restic tells parts by the first byte of a pack's name."""


def choose(home: Home, present: Sequence[int], of: int, by: random.Random | None = None) -> int:
    """One of the parts that are `present`, each a number below `of`: half of the time one of those that were read
    longest ago, else any. So each gets its turn, and each may be it also right after it was read."""
    draw = by or random.SystemRandom()
    if draw.random() < 0.5:
        days = _days(home)
        read = {part: min(days[first] for first in range(part, PARTS, of)) for part in present}
        return draw.choice([part for part in present if read[part] == min(read.values())])
    return draw.choice(list(present))


def note(home: Home, part: int, of: int, day: int) -> None:
    """This part was read on that day, and is whole."""
    days = _days(home)
    for first in range(part, PARTS, of):
        days[first] = day
    home.write_object(_FILE, {"days": days})


def forget(home: Home) -> None:
    """Drop it, as when the machine leaves its vault."""
    home.remove(_FILE)


def _days(home: Home) -> list[int]:
    """The day on which the packs with each first byte were read last; -1 where that is not known."""
    try:
        days = (home.read_object(_FILE) or {}).get("days")
    except AgentError:
        days = None
    whole = isinstance(days, list) and len(days) == PARTS and all(type(day) is int for day in days)
    return list(days) if whole and isinstance(days, list) else [-1] * PARTS
