"""How the last scheduled runs ended, for people who ask why: the scheduler itself keeps little or nothing of it."""

import json

from strongroom_agent.core import times
from strongroom_agent.core.errors import AgentError
from strongroom_agent.state.home import Home

_FILE = "scheduled-runs.jsonl"
_KEPT = 100


def note(home: Home, code: str, message: str) -> None:
    """Add one run; the oldest make room."""
    line = json.dumps({"at": times.render(times.now()), "code": code, "message": message})
    home.write_text(_FILE, "".join(f"{each}\n" for each in [*_lines(home), line][-_KEPT:]))


def last(home: Home) -> list[dict[str, object]]:
    """The last runs, the oldest first; lines that are damaged are left out."""
    found = []
    for line in _lines(home):
        try:
            found.append(dict(json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def forget(home: Home) -> None:
    """Drop it, as when the machine leaves its vault."""
    home.remove(_FILE)


def _lines(home: Home) -> list[str]:
    try:
        return (home.read_text(_FILE) or "").splitlines()
    except AgentError:
        return []
