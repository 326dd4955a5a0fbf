"""Fetching a file of a release: as far as it came it is kept, and the next try goes on there."""

import hashlib
import os
import shutil
import time
from pathlib import Path

import httpx

from strongroom_agent.core import sizes
from strongroom_agent.core.errors import AgentError
from strongroom_agent.portal import answers
from strongroom_agent.portal.client import describe, pauses, trust_only, unreachable
from strongroom_agent.state.session import Session

from .manifest import ReleaseFile

LONGEST = 3600.0  # seconds for one fetch; the next one goes on where it ended
_TIMEOUT = httpx.Timeout(30, connect=10)
_UNPACKED = 6  # times the size of an archive, at most, of those that we build
_SPARE = 16 << 20


def fetch(session: Session, wanted: ReleaseFile, folder: Path) -> Path:
    """The file, in `folder`, with exactly the bytes of the manifest.

    AgentError `no_room`, `network`, and `update_damaged` when what comes is something else.
    """
    place = folder / f"{wanted.sha256}.part"
    _require_room(folder, wanted, place)
    forget(folder, but=place)
    failure: AgentError | None = None
    deadline = time.monotonic() + LONGEST
    with httpx.Client(
        verify=trust_only(session.identity.ca_certificates), proxy=session.proxy, timeout=_TIMEOUT, trust_env=False
    ) as client:
        for _ in pauses():
            if _size(place) == wanted.size:
                break
            try:
                failure = _more(client, session, wanted, place, deadline)
            except httpx.TransportError as error:
                failure = unreachable(session.identity.edge_url, describe(error), session.proxy)
    if _size(place) != wanted.size:
        raise failure or _damaged(wanted, "it ends too early")
    with place.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != wanted.sha256:
        place.unlink()
        raise _damaged(wanted, f"its SHA-256 is {digest}, signed is {wanted.sha256}")
    return place


def _more(
    client: httpx.Client, session: Session, wanted: ReleaseFile, place: Path, deadline: float
) -> AgentError | None:
    """Take what the portal sends, behind what is there. Why there is no more of it, where that was no broken line."""
    url, have = f"{session.identity.edge_url}/agents/files/{wanted.name}", _size(place)
    headers = {**answers.PLAIN, **({"Range": f"bytes={have}-"} if have else {})}
    with client.stream("GET", url, headers=headers) as response:
        goes_on = response.status_code == httpx.codes.PARTIAL_CONTENT and have > 0
        if goes_on and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            place.unlink()
            return _damaged(wanted, "another part of it came than was asked for")
        if response.status_code == httpx.codes.NOT_FOUND:
            return AgentError(
                "update_gone",
                f"The portal does not have {wanted.name}, which its release names. Nothing was changed.",
                "Try again later; if it stays so, an administrator publishes the release again.",
            )
        if not goes_on and response.status_code != httpx.codes.OK:
            place.unlink(missing_ok=True)
            return unreachable(url, f"it answered {response.status_code}")
        with place.open("ab" if goes_on else "wb") as file:
            have = have if goes_on else 0
            for part in response.iter_raw():
                have += len(part)
                if have > wanted.size:
                    file.close()
                    place.unlink()
                    raise _damaged(wanted, f"it is longer than the {wanted.size} bytes that were signed")
                file.write(part)
                if time.monotonic() > deadline:
                    raise unreachable(url, "it takes longer than an hour; the next try goes on from here")
            file.flush()
            os.fsync(file.fileno())
    return None


def _require_room(folder: Path, wanted: ReleaseFile, place: Path) -> None:
    needed = wanted.size - _size(place) + wanted.size * _UNPACKED + _SPARE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise AgentError(
            "no_room",
            f"The update needs {sizes.readable(needed)} in {folder}, and {sizes.readable(free)} are free. Nothing was "
            "changed.",
            "Free some space there, then try again.",
        )


def forget(folder: Path, but: Path | None = None) -> None:
    """Delete what was fetched of releases, whole or not."""
    for other in set(folder.glob("*.part")) - {but}:
        other.unlink()


def _size(place: Path) -> int:
    return place.stat().st_size if place.exists() else 0


def _damaged(wanted: ReleaseFile, what: str) -> AgentError:
    return AgentError(
        "update_damaged",
        f"{wanted.name} is not what was signed: {what}. Nothing was changed.",
        "Try again; if it stays so, tell an administrator of the portal: the file was changed there or on the way.",
    )
