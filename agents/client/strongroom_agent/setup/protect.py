"""The step that decides what is protected: names, what they mean now, and what must not lie inside."""

import os
from dataclasses import dataclass
from pathlib import Path

from strongroom_agent.core import mounts
from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.patterns import Skip
from strongroom_agent.state import protected

from . import cache_folder


@dataclass(frozen=True)
class Choice:
    """What is to be protected: the names as given, and the real paths that they mean now."""

    names: list[str]
    roots: list[str]


def choose(given: list[str]) -> Choice:
    """The names and paths of what was given. AgentError `protect_missing` for what is not there, `protect_unreadable`
    for what this user may not read."""
    names = sorted({protected.named(path) for path in given})
    meant = [protected.resolve(name) for name in names]
    for each in meant:
        if each.path is None:
            raise AgentError(
                "protect_missing",
                f"There is nothing at {each.name} to protect.",
                "Give --protect an existing file or folder.",
            )
        if not os.access(each.path, os.R_OK | os.X_OK if os.path.isdir(each.path) else os.R_OK):
            raise AgentError(
                "protect_unreadable",
                f"This user may not read {each.name}, so that it cannot be backed up.",
                "Run setup as a user that may, such as root (sudo), or leave it out.",
            )
    return Choice(names, sorted({each.path for each in meant if each.path}))


def no_longer(before: list[str], now: list[str]) -> list[str]:
    """The names among those of an earlier setup that neither are, nor lie in, what is protected now."""
    return [name for name in before if not any(mounts.below(name, folder) for folder in now)]


def extent(choice: Choice, own: list[str], *, network: bool) -> cache_folder.Extent:
    """How much there is to protect, without our `own` folders. AgentError `nothing_to_protect` for no file at all."""
    skip = [*own, *protected.excludes(list(protected.left_out(choice.roots, network=network)), choice.roots)]
    found = cache_folder.measure(choice.roots, Skip(skip))
    if not found.files:
        raise AgentError(
            "nothing_to_protect",
            "There is not a single file in what is to be protected.",
            "Give --protect a file, or a folder with files in it.",
        )
    return found


def keep_out(choice: Choice, own: list[str], secrets: dict[str, str | None], *, network: bool) -> None:
    """AgentError `passphrase_protected` when a secret lies inside what is protected, also by links.

    `secrets` are the files that flags name. Locked into the safe that it opens, a passphrase helps nobody once the
    machine is gone. What the backup leaves out anyway, such as our `own` folders, may hold one.
    """
    out = [*own, *protected.left_out(choice.roots, network=network)]
    for flag, given in secrets.items():
        path = os.path.realpath(os.path.expanduser(given)) if given else ""
        if any(mounts.below(path, folder) for folder in out):
            continue
        for root in choice.roots:
            if path and mounts.below(path, root):
                raise AgentError(
                    "passphrase_protected",
                    f"{flag} {given} lies inside {root}, which is to be protected: the file would be locked into the "
                    "backups that it opens.",
                    f"Name a file outside of what is protected{_example()}, and keep a copy off this machine.",
                )


def _example() -> str:
    memory = Path("/dev/shm")  # noqa: S108 - an example for people
    return f", such as {memory}/strongroom-passphrase, which is in memory only" if memory.is_dir() else ""
