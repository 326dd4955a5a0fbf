"""Finding restic: which program does the backups, and how to get it where it is missing."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from strongroom_agent.core import packaged, surroundings
from strongroom_agent.core.errors import AgentError, why

MINIMUM = (0, 14)
# From here on it replaces links instead of writing through them, leaves holes in sparse files, and repairs indexes.
RECENT = (0, 18)
_VERSION = re.compile(r"^restic (\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class Engine:
    """A restic that this agent can work with."""

    program: str
    version: str

    @property
    def recent(self) -> bool:
        """Whether it can do more than back up, check, and restore to a new or empty folder."""
        return self._release >= RECENT

    @property
    def can_skip_scan(self) -> bool:
        """Whether `backup --no-scan` exists."""
        return self._release >= (0, 15)

    @property
    def _release(self) -> tuple[int, ...]:
        return tuple(map(int, self.version.split(".")[:2]))

    def must_be_recent(self, what: str) -> None:
        """AgentError `engine_too_old` unless it is recent enough for `what`, which begins the sentence."""
        if not self.recent:
            raise _too_old(f"{what} needs", self, RECENT)


def find() -> Engine:
    """The restic of `$RESTIC`, else the one beside this program, else of the absolute parts of PATH.

    AgentError if missing, broken or too old.
    """
    program = os.environ.get("RESTIC") or beside() or surroundings.find_program("restic")
    if not program:
        raise AgentError("engine_missing", "restic, which does the backups, is not installed.", advice())
    found = _VERSION.match(_ask(program))
    if not found:
        raise AgentError("engine_missing", f"{program} does not answer like restic.", advice())
    version = ".".join(part for part in found.groups() if part)
    if (int(found[1]), int(found[2])) < MINIMUM:
        raise _too_old("strongroom-agent needs", Engine(program, version), MINIMUM)
    return Engine(program, version)


def _too_old(who: str, found: Engine, wanted: tuple[int, int]) -> AgentError:
    least = ".".join(map(str, wanted))
    return AgentError(
        "engine_too_old",
        f"{who} restic {least} or newer; {found.program} is restic {found.version}.",
        _newer(least),
        needed_version=least,
        engine_version=found.version,
    )


def how_to_get_recent() -> str:
    """Where a restic is that can do everything, and where to put it."""
    return _newer(".".join(map(str, RECENT)))


def _newer(least: str) -> str:
    return (
        f"Download restic {least} or newer from https://github.com/restic/restic/releases and put it beside the agent, "
        "or set RESTIC to its path; packages of older systems are too old."
    )


def beside() -> str | None:
    """The restic in the folder of this program, which was put there for it."""
    started = os.environ.get("PEX") or sys.executable
    place = packaged.folder() or os.path.dirname(os.path.abspath(started))
    return surroundings.find_in(place, "restic")


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
