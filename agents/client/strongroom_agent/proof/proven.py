"""What was proven when: one small file of state, so that every file gets its turn, and that we can say how far it is.

A file is known by a fingerprint of its path, size and time: one that has changed counts as never proven. Only files of
the newest snapshot are kept, about eleven bytes each.
"""

import base64
import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import progress
from strongroom_agent.restic.snapshots import Listed
from strongroom_agent.state.home import Home

_FILE = "proven.json"
_SIZE = 8
MOST = 5_000_000
"""So many files are remembered; of more those that were proven last."""
LATELY = 30
"""Days within which a file counts as proven lately."""


@dataclass(frozen=True)
class Share:
    """How much of a snapshot was proven within the last LATELY days."""

    files: int
    bytes: int
    of_files: int
    of_bytes: int


def fingerprint(file: Listed) -> int:
    """Stands for a file as it is: its path, size and time of change."""
    text = f"{file.size}\0{file.mtime_ns}\0{file.path}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=_SIZE).digest(), "big")


def today(at: datetime) -> int:
    """The number of the day in UTC, since 1970."""
    return int(at.astimezone(UTC).timestamp()) // 86400


def known(home: Home) -> dict[int, int]:
    """The day on which each file was proven last, by its fingerprint. What cannot be read is not known: no reason for a
    check to fail, since it only proves more again."""
    try:
        days = home.read_object(_FILE) or {}
        return {key: int(day) for day, packed in days.items() for key in _of(packed)}
    except (AgentError, ValueError, TypeError, struct.error) as error:
        progress(f"note: which files were proven when is not known any more ({type(error).__name__}).")
        return {}


def note(
    home: Home, files: Iterable[Listed], proven: Iterable[Listed], doubted: Iterable[Listed], day: int
) -> dict[int, int]:
    """Keep that of the snapshot's files these were proven on that day, and that the `doubted` ones, which did not come
    back as they were, count as never proven. What the snapshot does not have is forgotten. What is known now."""
    fresh, not_any_more = {fingerprint(each) for each in proven}, {fingerprint(each) for each in doubted}
    before, after = known(home), dict[int, int]()
    for each in files:
        key = fingerprint(each)
        when = day if key in fresh else before.get(key)
        if when is not None and key not in not_any_more:
            after[key] = min(when, day)  # a clock that was ahead has proven nothing in the future
    if len(after) > MOST:
        after = dict(sorted(after.items(), key=lambda item: -item[1])[:MOST])
    _keep(home, after)
    return after


def share(snapshot: Iterable[Listed], proven: Mapping[int, int], day: int) -> Share:
    """How much of the snapshot was proven within the last LATELY days."""
    files = size = of_files = of_bytes = 0
    for each in snapshot:
        of_files, of_bytes = of_files + 1, of_bytes + each.size
        when = proven.get(fingerprint(each))
        if when is not None and day - when < LATELY:
            files, size = files + 1, size + each.size
    return Share(files, size, of_files, of_bytes)


def forget(home: Home) -> None:
    """Drop it, as when the machine leaves its vault."""
    home.remove(_FILE)


def _keep(home: Home, days: Mapping[int, int]) -> None:
    by_day: dict[int, list[int]] = {}
    for key, when in days.items():
        by_day.setdefault(when, []).append(key)
    home.write_object(_FILE, {str(when): _packed(keys) for when, keys in sorted(by_day.items())})


def _packed(keys: list[int]) -> str:
    return base64.b64encode(b"".join(key.to_bytes(_SIZE, "big") for key in keys)).decode()


def _of(packed: object) -> tuple[int, ...]:
    raw = base64.b64decode(str(packed), validate=True)
    return struct.unpack(f">{len(raw) // _SIZE}Q", raw)
