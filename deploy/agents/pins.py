"""The inputs of the packages: what pins.toml says of each, and getting it with exactly the bytes that it names."""

import hashlib
import os
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.agents import debian

PINS = Path(__file__).with_name("pins.toml")
VARIABLE = "STRONGROOM_INPUT_"
"""How the environment variables begin that name another place for an input."""
_CHUNK = 1 << 20


class NoInput(Exception):
    """An input cannot be had, or is not what is pinned; the text says which, and what to do."""


@dataclass(frozen=True)
class Fixes:
    """Patches of Debian's that are put onto an input: a whole `debian` folder, and which of its series count."""

    name: str
    version: str
    sha256: str
    debian: str
    take: list[str]
    url: str = ""


@dataclass(frozen=True)
class Pin:
    """One input: a source archive of somebody else's."""

    name: str
    version: str
    sha256: str
    licence: str
    source: str
    licence_file: str
    debian: str = ""
    url: str = ""
    fixes: Fixes | None = None


def pins(file: Path = PINS) -> dict[str, Pin]:
    """All inputs that the file names, by name."""
    return {name: _pin(name, dict(facts)) for name, facts in tomllib.loads(file.read_text()).items()}


def _pin(name: str, facts: dict[str, object]) -> Pin:
    fixes = facts.pop("fixes", None)
    given = Fixes(name=f"{name}_fixes", **fixes) if isinstance(fixes, dict) else None
    return Pin(name=name, fixes=given, **facts)  # type: ignore[arg-type]  # the file is ours; a wrong name raises


def get(pin: Pin | Fixes, kept: Path, chosen: str = "") -> Path:
    """The input's file in the folder `kept`, under its digest, brought there now if need be: from the path or address
    `chosen` where there is one. Raises NoInput."""
    place = kept / pin.sha256
    variable = VARIABLE + pin.name.upper()
    if chosen:
        _take(chosen, place, pin, chosen)
    elif given := os.environ.get(variable):
        _take(given, place, pin, f"{variable}={given}")
    if place.is_file() and _digest(place) == pin.sha256:
        return place
    kept.mkdir(parents=True, exist_ok=True)
    reasons = []
    try:
        if pin.debian:
            shutil.move(debian.source(pin.debian, pin.sha256, kept), place)
            return place
    except debian.Unavailable as error:
        reasons.append(f"Debian's archive: {error}")
    try:
        if pin.url:
            _take(pin.url, place, pin, pin.url)
            return place
    except NoInput as error:
        reasons.append(str(error))
    told = "".join(f"\n  {reason}" for reason in reasons)
    raise NoInput(f"{pin.name} {pin.version} cannot be had:{told}\nGive a path or address of it in {variable}.")


def _take(given: str, place: Path, pin: Pin | Fixes, told: str) -> None:
    """Copy or download it, and keep it if it is what is pinned."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_suffix(".draft")
    try:
        if given.startswith(("https://", "http://")):
            with httpx.stream("GET", given, follow_redirects=True, timeout=60) as answer, draft.open("wb") as file:
                for chunk in answer.raise_for_status().iter_bytes(_CHUNK):
                    file.write(chunk)
        else:
            shutil.copyfile(given, draft)
    except (OSError, httpx.HTTPError) as error:
        draft.unlink(missing_ok=True)
        raise NoInput(f"{told}: {error}") from error
    found = _digest(draft)
    if found != pin.sha256:
        draft.unlink()
        raise NoInput(f"{told}: its SHA-256 is {found}, pinned is {pin.sha256} ({pin.name} {pin.version}).")
    draft.replace(place)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
