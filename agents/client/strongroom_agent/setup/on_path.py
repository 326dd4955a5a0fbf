"""The program's name on the PATH: a link, where that goes without taking anybody's place."""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from strongroom_agent.core import surroundings
from strongroom_agent.core.errors import why

from . import windows_path

_NAME = "strongroom-agent"


@dataclass(frozen=True)
class OnPath:
    """Where a shell finds the program, None when it does not; and why not, with what to do."""

    path: str | None
    remark: str = ""


def link(program: Path) -> OnPath:
    """Make the link, if there is none. What is not ours, or is another machine's agent, stays as it is; only a link
    that leads nowhere is replaced."""
    if sys.platform == "win32":
        return _on_windows(program)
    found = surroundings.find_program(_NAME)
    if found and _same(Path(found), program):
        return OnPath(found)
    place = _folder() / _NAME
    if os.path.lexists(place) and not (place.is_symlink() and not place.exists()):
        if _same(place, program):
            return OnPath(str(place))
        return OnPath(None, f"{place} is another program and was left as it is; start this one as {program}.")
    try:
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if place.is_symlink():
            place.unlink()
        place.symlink_to(program)
    except OSError as error:
        return OnPath(None, f"{place} could not be made ({why(error)}); start the program as {program}.")
    if str(place.parent) not in surroundings.search_path().split(os.pathsep):
        return OnPath(str(place), f"Add {place.parent} to PATH to start it by name.")
    return OnPath(str(place))


def _on_windows(program: Path) -> OnPath:
    """The program's folder, as Windows has no links for this."""
    try:
        added = windows_path.add(program.parent)
    except OSError as error:
        return OnPath(None, f"PATH could not be changed ({why(error)}); start the program as {program}.")
    return OnPath(str(program), "Windows that are opened from now on find it by its name." if added else "")


def _folder() -> Path:
    return Path("/usr/local/bin") if os.geteuid() == 0 else Path.home() / ".local" / "bin"


def _same(one: Path, other: Path) -> bool:
    """Whether they are the same program, be it as a copy: the single file is often put there by hand first."""
    with contextlib.suppress(OSError):
        return one.samefile(other) or (
            one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()
        )
    return False
