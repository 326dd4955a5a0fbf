"""The answers of a setup that was interrupted, kept for the next start: for the owner only, without secrets."""

from dataclasses import dataclass, fields
from datetime import datetime

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.state.home import Home

from .checks import SetupOptions

_FILE = "setup-answers.json"
_KEPT = [each for each in fields(SetupOptions) if not each.metadata.get("secret")]


@dataclass(frozen=True)
class Kept:
    """What an earlier start was told, which of it was answered, and when."""

    options: SetupOptions
    answered: frozenset[str]
    way: str
    at: datetime


def save(home: Home, options: SetupOptions, answered: frozenset[str], way: str) -> None:
    """Keep what was answered so far. Passphrases, the proxy's password and one-time codes never are: they are asked for
    again."""
    if options.code:
        answered = answered - {"credentials"}  # there is no such file before the code is redeemed
    values = {each.name: getattr(options, each.name) for each in _KEPT if each.name in answered}
    home.write_object(_FILE, {"at": times.render(times.now()), "way": way, "answers": values})


def load(home: Home) -> Kept | None:
    """What was kept; None when there is nothing, or nothing that can be used."""
    try:
        stored = home.read_object(_FILE)
        return None if stored is None else _checked(stored)
    except (AgentError, KeyError, TypeError, ValueError):
        return None


def forget(home: Home) -> None:
    """Drop them: setup has ended well, or begins from the start."""
    home.remove(_FILE)


def _checked(stored: dict[str, object]) -> Kept:
    """Of an older or newer version's answers those count that this one knows."""
    given = stored["answers"]
    if not isinstance(given, dict):
        raise TypeError("answers")
    values = {each.name: given[each.name] for each in _KEPT if each.name in given}
    for name, value in values.items():
        wanted = type(getattr(SetupOptions(), name))
        right = isinstance(value, str if wanted is type(None) else wanted)
        if not right or (isinstance(value, list) and not all(isinstance(each, str) for each in value)):
            raise TypeError(name)
    return Kept(SetupOptions(**values), frozenset(values), str(stored["way"]), times.parse(str(stored["at"])))
