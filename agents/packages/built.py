"""Publishing what `python -m deploy.agents` has built: a folder with packages and `packages.json`, which lists them."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from agents.models import AgentPackage
from agents.packages.build import Withdrawn, published, require_not_withdrawn
from agents.packages.publish import About, publish
from portal.core.actor import Actor

FACTS = "packages.json"


class NotBuilt(Exception):
    """The folder is none that was built, or is not what its list says; in one sentence."""


def publish_all(folder: Path, actor: Actor, *, again: bool = False) -> Iterator[AgentPackage | Withdrawn]:
    """Each package of the list, published now or before; Withdrawn in the place of one that somebody took back, unless
    all are to be published `again`. Raises NotBuilt."""
    try:
        listed = json.loads((folder / FACTS).read_text())
    except (OSError, ValueError) as error:
        raise NotBuilt(f"{FACTS} cannot be read: {error}.") from error
    for facts in listed:
        yield _publish(folder, facts, actor, again=again)


def _publish(folder: Path, facts: dict[str, str], actor: Actor, *, again: bool) -> AgentPackage | Withdrawn:
    path, sha256 = folder / facts["file"], facts["sha256"]
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise NotBuilt(f"{facts['file']} is not what {FACTS} says.")
    if (package := published(sha256)) is not None:
        return package
    try:
        if not again:
            require_not_withdrawn(sha256=sha256)
    except Withdrawn as withdrawn:
        return withdrawn
    about = About(facts["platform"], facts["architecture"], facts["version"], facts["kind"])
    return publish(path, about, actor=actor, bill=folder / facts["bill"])
