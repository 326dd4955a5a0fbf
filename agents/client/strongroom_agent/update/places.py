"""Where the program lies that is to be updated, and whether it is one that updates itself.

DIR/strongroom-agent             the program: a file as setup put it, or a link into the folder below
DIR/.strongroom-agent.previous   what it was before the last update
DIR/.strongroom-agent/           one folder for each version, and what is being fetched
"""

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from strongroom_agent.core import ownership, packaged
from strongroom_agent.core.errors import AgentError, why
from strongroom_agent.state import lock
from strongroom_agent.state.session import Session

ARCHIVE, SINGLE = "archive", "pex"
_PLATFORMS = {"win32": "windows", "darwin": "macos"}
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
_BY_PACKAGE = {
    "apt": "Run: sudo apt update && sudo apt install --only-upgrade strongroom-agent (or install the newer .deb of the "
    "Agents page: sudo apt install ./FILE.deb).",
    "dnf": "Run: sudo dnf upgrade strongroom-agent (or install the newer .rpm of the Agents page: sudo dnf install "
    "./FILE.rpm).",
}


@dataclass(frozen=True)
class Place:
    """The installation folder, and which kind of package the program in it is."""

    folder: Path
    kind: str

    @property
    def program(self) -> Path:
        """What people and schedules start."""
        return self.folder / packaged.PROGRAM

    @property
    def previous(self) -> Path:
        """What that was before the last update; beside it, since a program finds what it needs beside itself."""
        return self.folder / ".strongroom-agent.previous"

    @property
    def versions(self) -> Path:
        """The folder of all versions that came by updates."""
        return self.folder / ".strongroom-agent"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the place: two machines on one computer may share it. AgentError `busy`, and where others could change
        what is in it or it cannot be written to."""
        try:
            if trouble := ownership.problem(self.folder, groups=True):
                raise _unusable(self.folder, f"{trouble}. Others could exchange the program")
            self.versions.mkdir(mode=0o755, exist_ok=True)
            self.versions.chmod(0o755)  # whatever our umask is: everybody may run what is in it
            file = (self.versions / "lock").open("a+b")
        except OSError as error:
            raise _unusable(self.folder, why(error)) from error
        with file, lock.held(file):
            yield


def system() -> tuple[str, str]:
    """The platform and processor of this machine, in the words of packages."""
    machine = platform.machine().lower()
    return _PLATFORMS.get(sys.platform, "linux"), _ARCHITECTURES.get(machine, machine)


def of(session: Session) -> Place:
    """The place of this machine's program. AgentError `update_by_package` where apt or dnf updates it, and
    `not_updatable` where it is not a package of ours, or not the one that setup installed."""
    if manager := packaged.installed_by():
        raise AgentError(
            "update_by_package",
            f"This agent was installed by {manager}, which updates it as well.",
            _BY_PACKAGE.get(manager, "Update it in the way in which it was installed."),
        )
    single = os.environ.get("PEX")
    if sys.platform == "win32":
        raise _not_updatable("On Windows the agent does not exchange itself: files that are in use stay as they are.")
    if not single and packaged.folder() is None:
        raise _not_updatable("This agent runs from Python packages, not from a package of the Agents page.")
    place = Place(Path(session.settings.install_dir), SINGLE if single else ARCHIVE)
    running = Path(single) if single else (packaged.folder() or Path()) / packaged.PROGRAM
    if not place.program.exists() or place.program.resolve() != running.resolve():
        raise AgentError(
            "not_updatable",
            f"The program that runs now, {running}, is not the one that setup installed, {place.program}.",
            f"Run {place.program} update; if that is not there any more, run setup again.",
        )
    return place


def _not_updatable(what: str) -> AgentError:
    return AgentError(
        "not_updatable",
        what,
        "Install the newer package from the portal's Agents page over it; state, keys and schedule stay.",
    )


def _unusable(folder: Path, trouble: str) -> AgentError:
    return AgentError(
        "install_failed",
        f"The installation folder {folder} cannot be used for an update: {trouble}.",
        "Run the update as the user that set this machine up, and keep the folder for administrators alone.",
    )
