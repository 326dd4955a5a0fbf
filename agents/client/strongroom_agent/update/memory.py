"""What this machine remembers about updates: how new a manifest it has seen, and how the last update went."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.state.home import Home

FILE = "update.json"
WAITING: Final = "waiting"
TRYING: Final = "trying"
FAILED: Final = "failed"
UPDATED: Final = "updated"


@dataclass(frozen=True)
class Memory:
    """`serials`: the highest one seen, by the id of each key that was known then, so that it outlives an exchange of
    one of the two. `state` is one of the words above, or "" where there is nothing to say; `version`, `code` and
    `came_from` are about it. `broken`: the SHA-256 of a file that failed here, which is not tried again by itself."""

    serials: Mapping[str, int] = field(default_factory=dict)
    state: str = ""
    version: str = ""
    code: str = ""
    came_from: str = ""
    broken: str = ""
    at: str = ""

    def serial(self, keys: Iterable[str]) -> int:
        """The highest serial seen of manifests that any of the keys may have signed."""
        return max((self.serials.get(each, 0) for each in keys), default=0)


def load(home: Home) -> Memory:
    """What is remembered. Damaged memory counts as none: the version of this program still refuses older ones."""
    try:
        found = home.read_object(FILE) or {}
        known = Memory(**found)  # type: ignore[arg-type]
        texts = (known.state, known.version, known.code, known.came_from, known.broken, known.at)
        serials = known.serials
        whole = isinstance(serials, dict) and all(
            isinstance(name, str) and type(number) is int for name, number in serials.items()
        )
        return known if whole and all(isinstance(each, str) for each in texts) else Memory()
    except (AgentError, TypeError):
        return Memory()


def note_serial(home: Home, keys: Iterable[str], serial: int) -> None:
    """A manifest with this serial was seen and believed."""
    known = load(home)
    newest = {each: max(serial, known.serials.get(each, 0)) for each in keys}
    if newest != known.serials:
        _save(home, replace(known, serials=newest))


def note(home: Home, state: str, *, version: str = "", code: str = "", came_from: str = "", broken: str = "") -> None:
    """How it stands with updates from now on; the serials stay."""
    known = load(home)
    new = Memory(known.serials, state, version, code, came_from, broken, known.at)
    if new != known:
        _save(home, replace(new, at=times.render(times.now())))


def told(home: Home) -> dict[str, object] | None:
    """What the portal is told of it with each sign of life; None where there is nothing to say."""
    known = load(home)
    if not known.state:
        return None
    return {"state": known.state, "version": known.version, "code": known.code, "came_from": known.came_from}


def _save(home: Home, memory: Memory) -> None:
    home.write_object(FILE, asdict(memory))
