"""Finding restic: which program does the backups, and how to get it where it is missing."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import AgentError, why

MINIMUM = (0, 14)
_VERSION = re.compile(r"^restic (\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class Engine:
    """A restic that this agent can work with."""

    program: str
    version: str


def find() -> Engine:
    """The restic of `$RESTIC`, else the one beside this program, else of the PATH.

    AgentError if missing, broken or too old.
    """
    program = os.environ.get("RESTIC") or _beside() or shutil.which("restic")
    if not program:
        raise AgentError("engine_missing", "restic, which does the backups, is not installed.", advice())
    found = _VERSION.match(_ask(program))
    if not found:
        raise AgentError("engine_missing", f"{program} does not answer like restic.", advice())
    version = ".".join(part for part in found.groups() if part)
    if (int(found[1]), int(found[2])) < MINIMUM:
        wanted = ".".join(map(str, MINIMUM))
        raise AgentError("engine_too_old", f"{program} is restic {version}; {wanted} or newer is needed.", advice())
    return Engine(program, version)


def _beside() -> str | None:
    """The restic in the folder of this program, which was put there for it."""
    started = os.environ.get("PEX") or sys.executable
    return shutil.which("restic", path=os.path.dirname(os.path.abspath(started)))


def advice() -> str:
    """How to get restic on this platform."""
    return f"Install it: {_how()} Or set RESTIC to the path of the program."


def _how() -> str:
    if sys.platform == "darwin":
        return "brew install restic."
    if sys.platform == "win32":
        return "winget install restic.restic."
    family = _linux_family()
    if {"debian", "ubuntu"} & family:
        return "sudo apt install restic."
    if {"fedora", "rhel"} & family:
        return "sudo dnf install restic."
    return "sudo apt install restic (Debian), sudo dnf install restic (Fedora)."


def _linux_family() -> set[str]:
    """The distribution and what it is derived from, after os-release(5)."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    wanted = [line.partition("=")[2] for line in lines if line.startswith(("ID=", "ID_LIKE="))]
    return {word for value in wanted for word in value.strip('"').split()}


def _ask(program: str) -> str:
    try:
        return subprocess.run([program, "version"], capture_output=True, text=True, timeout=30, check=False).stdout
    except OSError as error:
        raise AgentError("engine_missing", f"{program} cannot be run: {why(error)}.", advice()) from error
    except subprocess.TimeoutExpired as error:
        raise AgentError("engine_missing", f"{program} does not say its version.", advice()) from error
