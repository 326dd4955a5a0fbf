"""What is really wrong when restic fails on a repository: asked of the storage itself, object by object.

restic's words do not say whether the passphrase is wrong or the key object is damaged, or whether half an object is
half in the storage or only on the way. The names of objects do: they are the SHA-256 of their content.
"""

import re
from collections.abc import Iterable

import httpx

from strongroom_agent.core.errors import AgentError
from strongroom_agent.restic.errors import damaged, objects_in
from strongroom_agent.state.identity import Repository

from .storage import Storage

_DOUBTFUL = frozenset({"passphrase_wrong", "repository_damaged", "engine_failed", "network", "unavailable"})
_ON_THE_WAY = frozenset({"network", "unavailable"})
_ASKED = 50
_DAMAGED = re.compile(r"^((?:data|index|keys|snapshots)/[0-9a-f]{64}) is damaged$")
_NAMED_BY_CONTENT = ("data", "index", "keys", "snapshots")


def judged(storage: Storage, repository: Repository, error: AgentError) -> AgentError:
    """The error that tells what is wrong with the repository, if anything; else the error as it is."""
    if error.code not in _DOUBTFUL or (error.code in _ON_THE_WAY and not objects_in(error.complaints)):
        return error
    try:
        found = _damaged_objects(storage, repository, error)
    except (AgentError, httpx.TransportError):
        return error  # the storage itself does not answer: then the first error says so
    if found:
        named = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        better = damaged(f"In region {repository.region}: {named}.", damaged_objects=found)
        better.complaints = error.complaints
        return better
    return error


def objects(error: AgentError) -> list[str]:
    """The objects that an error of `judged` names, each with what is wrong with it."""
    found = error.details.get("damaged_objects")
    return [str(each) for each in found] if isinstance(found, list) else []


def names(found: Iterable[str]) -> set[str]:
    """The whole names, as kind/name, of those that are damaged; what is missing is known by its beginning alone."""
    return {name for each in found for name in _DAMAGED.findall(each)}


def damaged_among(storage: Storage, repository: Repository, complaints: Iterable[str]) -> list[str]:
    """Which of the objects in what restic said are missing or damaged in truth, each with what is wrong with it.

    Empty where the storage does not answer.
    """
    try:
        return [
            each
            for kind, start in objects_in(list(complaints))[:_ASKED]
            for each in _about(storage, repository, kind, start)
        ]
    except (AgentError, httpx.TransportError):
        return []


def _damaged_objects(storage: Storage, repository: Repository, error: AgentError) -> list[str]:
    """Objects that are missing or not what their names say, as kind/name with what is wrong."""
    suspects = objects_in(error.complaints)[:_ASKED]
    found = [each for kind, start in suspects for each in _about(storage, repository, kind, start)]
    if error.code == "passphrase_wrong" or any(kind == "keys" for kind, _ in suspects) or not found:
        found += _about_keys(storage, repository)
    if any("config" in line for line in error.complaints) and not found:
        if not storage.exists(repository):
            found.append("config is missing")
        elif error.code == "repository_damaged":
            found.append("config is damaged")
    return list(dict.fromkeys(found))


def _about(storage: Storage, repository: Repository, kind: str, start: str) -> list[str]:
    if kind not in _NAMED_BY_CONTENT or not start:
        return []
    names = [name for name in storage.names(repository, kind) if name.startswith(start)]
    if not names:
        return [f"{kind}/{start} is missing"]
    return [f"{kind}/{name} is damaged" for name in names if not storage.is_sound(repository, kind, name)]


def _about_keys(storage: Storage, repository: Repository) -> list[str]:
    names = storage.names(repository, "keys")
    if not names:
        return ["there is no key any more"]
    return [f"keys/{name} is damaged" for name in names if not storage.is_sound(repository, "keys", name)]
