"""What a person asks for with `--include`, found in a snapshot."""

import os
from dataclasses import dataclass

from strongroom_agent.core.errors import usage
from strongroom_agent.core.paths import as_listed, is_below, machine_form, pattern
from strongroom_agent.restic.snapshots import Contents


@dataclass(frozen=True)
class Part:
    """A file or folder of a snapshot: its path as the listing spells it, and the pattern that restores it.

    `exact`: its name has bytes that are no text, and the pattern tells it from others that are listed alike.
    """

    listed: str
    pattern: str
    exact: bool = False


def matching(found: Contents, path: str) -> Part:
    """The part of the snapshot that the user named. AgentError `usage` if nothing in it fits."""
    absolute = os.path.abspath(path)
    # The folder of a link by its real path, but the link itself: that is what a snapshot has of it.
    beside = os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))
    known = {each.path for each in found.items}
    for candidate in (path, *map(machine_form, (absolute, beside, os.path.realpath(absolute)))):
        listed = as_listed(candidate)
        if listed in known or any(is_below(each, listed) for each in known):
            return Part(listed, pattern(candidate), exact=candidate != listed)
    raise usage(
        f"The snapshot holds nothing at {path}.",
        "Give --include the full path that the file or folder had on the machine.",
    )
