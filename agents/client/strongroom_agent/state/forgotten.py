"""The snapshots that this machine has deleted: the paired region lists them for a while, until its copy follows.

Without that, they would look like snapshots that the first region has lost.
"""

from collections.abc import Collection

from strongroom_agent.core.errors import AgentError

from .home import Home

_FILE = "forgotten.json"


def known(home: Home) -> set[str]:
    """Their ids, as far as they are remembered."""
    try:
        found = (home.read_object(_FILE) or {}).get("snapshots")
    except AgentError:
        return set()
    return {str(each) for each in found} if isinstance(found, list) else set()


def remember(home: Home, snapshots: Collection[str]) -> None:
    """Replace what is remembered: before any of them is deleted, so that whoever is killed then knows them too."""
    home.write_object(_FILE, {"snapshots": sorted(snapshots)})


def forget(home: Home) -> None:
    """Begin anew, as with another vault."""
    home.remove(_FILE)
