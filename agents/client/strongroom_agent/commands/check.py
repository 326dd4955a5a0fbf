"""The command `check`: is the repository sound, and does the newest snapshot come back as it is?"""

import math
import re
from collections.abc import Iterable, Mapping

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.output import Done, progress
from strongroom_agent.core.sizes import counted, readable
from strongroom_agent.portal.recorded_run import record
from strongroom_agent.proof import damage, parts, proven, restore_check
from strongroom_agent.proof.sampling import DAILY, Budget
from strongroom_agent.restic.errors import damaged, is_of_the_object, plain
from strongroom_agent.restic.process import Restic
from strongroom_agent.state import last_snapshot
from strongroom_agent.state.session import Session

# Reading all that is stored takes as long as restoring it all: above this, a random part is read, of about this size,
# or of about 1/256 of what is stored where that is more (from 512 GiB on).
READ_UP_TO = 2 * 1024**3
MONTHLY = 8
"""So many times as much is read once a month."""
# Packs of interrupted runs, and damaged ones that a repair has put out of the index: no snapshot refers to them.
_UNUSED = re.compile(r"^pack ([0-9a-f]{64}): not referenced in any index")
_UNUSED_COUNT = re.compile(r"^(\d+) additional files were found in the repo")  # the same, where they are not named
_NAMED = re.compile(r"\b(pack|index|snapshot|tree|blob|data)\b[ /]+<?([0-9a-f]{8,64})\b")
_SHOWN = 20


class _Sound:
    """A repository without an error, as far as it was read."""

    failure: AgentError | None = None

    def __init__(self, read: int, stored: int, unused: int, unused_bytes: int) -> None:
        self.read, self.stored, self.unused, self.unused_bytes = read, stored, unused, unused_bytes

    @property
    def figures(self) -> dict[str, object]:
        return {}

    @property
    def remark(self) -> str:
        """How much was read, and what was not judged."""
        what = "in use" if self.unused else "stored"
        if self.whole:
            return f"All that is {what}, {readable(self.stored)}, was read and is whole.{self._not_judged}"
        share = 100 * self.read / self.stored
        return (
            f"The structure is whole; {readable(self.read)} of the {readable(self.stored)} that are {what}, "
            f"{share:.1f} %, were read and are whole.{self._not_judged}"
        )

    @property
    def _not_judged(self) -> str:
        """About what no snapshot refers to, as after a repair: it may be damaged, and was not looked at."""
        if not self.unused:
            return ""
        size = f", {readable(self.unused_bytes)}" if self.unused_bytes else ""
        return f" Not in use, and not judged: {counted(self.unused, 'more pack')}{size}."

    @property
    def whole(self) -> bool:
        """Whether everything was read."""
        return self.read >= self.stored


def run(session: Session, reach: int = 1, budget: Budget = DAILY) -> Done:
    """Check the repository, then restore and compare; both are reported. Known damage is forgotten when both pass, and
    has everything read. `reach`: how many times as much as usual is read; `budget`: how much is restored."""
    session.prepare()
    sound = record(session, "check", lambda: _structure(session, reach))
    result = restore_check.restore_check(session, "latest", budget)
    damage.clear(session)
    said = f"The backups are sound{'' if sound.whole else ' as far as they were read'}: {result.remark} {sound.remark}"
    return Done(
        f"{said} {result.remedy}".strip(),
        code=str(result.figures.get("code", "done")),
        remedy=result.remedy,
        details={
            **result.figures,
            "read_bytes": sound.read,
            "stored_bytes": sound.stored,
            "unused_packs": sound.unused,
        },
    )


def _structure(session: Session, reach: int) -> _Sound:
    session.open_primary()
    last_snapshot.require(session)
    packs = session.storage.sizes(session.primary, "data")
    stored = sum(packs.values())
    how, part, chosen, of = "--read-data", set(packs), 0, 1
    if stored > READ_UP_TO * reach and damage.known(session) is None:
        chosen, of, part = _part(session, packs, READ_UP_TO * reach)
        how = f"--read-data-subset={chosen + 1}/{of}"
    with restore_check.fresh(session) as restic:
        unused, number = _read(restic, stored, how)
    parts.note(session.home, chosen, of, proven.today(times.now()))
    in_use = {name: size for name, size in packs.items() if name not in unused}
    read = sum(size for name, size in in_use.items() if name in part)
    return _Sound(read, sum(in_use.values()), number, sum(packs[name] for name in unused & packs.keys()))


def _part(session: Session, packs: Mapping[str, int], most: int) -> tuple[int, int, set[str]]:
    """A part of the packs with about so many bytes: which one of how many, and its packs.

    A part by its size would not do: restic takes that share of the number of packs, of whatever size they are.
    """
    of = min(parts.PARTS, math.ceil(sum(packs.values()) / most))
    members: dict[int, set[str]] = {}
    for name in packs:
        members.setdefault(int(name[:2], 16) % of, set()).add(name)
    chosen = parts.choose(session.home, sorted(members), of)
    return chosen, of, members[chosen]


def _read(restic: Restic, stored: int, how: str) -> tuple[set[str], int]:
    """Check everything, and read as much of it as `how` says. The packs that are not in use, as far as restic names
    them, and how many those are."""
    progress(f"checking the repository, {readable(stored)}")
    lines: list[str] = []
    unused, number = set[str](), 0

    def take(line: str) -> None:
        nonlocal number
        if found := _UNUSED.match(line):
            unused.add(found[1])
        elif found := _UNUSED_COUNT.match(line):
            number = int(found[1])
        else:
            lines.append(line)

    try:
        restic.run("check", "--verbose", "--with-cache", how, on_line=take, on_complaint=take)
    except AgentError as error:
        about = f"The check found: {error.problem.removeprefix('Stored backups are damaged. ')}"
        if error.code not in ("repository_damaged", "engine_failed"):
            # What was found before the network, a disk or the storage failed is damage all the same. What was on its
            # way just then may be whole: `blame` asks the storage itself.
            lines = [line for line in lines if is_of_the_object(line)]
            about = f"The check found damage, and could not go on: {error.problem}"
        named = _objects(lines)
        if error.code != "repository_damaged" and not named:
            raise
        better = damaged(f"{about} {_sentence(named)}".strip(), damaged_objects=named[:_SHOWN])
        better.complaints = error.complaints
        raise better from error
    return unused, max(number, len(unused))


def _objects(lines: Iterable[str]) -> list[str]:
    """The objects that restic names in its complaints, once each."""
    found = [f"{kind} {name[:8]}" for line in lines for kind, name in _NAMED.findall(plain(line))]
    return list(dict.fromkeys(found))


def _sentence(named: list[str]) -> str:
    if not named:
        return ""
    return f"It is about {', '.join(named[:3])}" + (f" and {len(named) - 3} more." if len(named) > 3 else ".")
