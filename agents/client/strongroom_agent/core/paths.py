"""Between the paths of this machine, of a snapshot, and restic's patterns."""

import os
import re
import sys
from pathlib import Path

from .errors import usage

# In restic's patterns these mean something; in brackets they mean themselves on every platform.
_SPECIAL = re.compile(r"[*?\[]")
_NOT_TEXT = re.compile("[\udc80-\udcff]")
_UNKNOWN = "\ufffd"


def in_snapshot(path: str) -> str:
    """How a snapshot's listing names an absolute path of this machine.

    `C:\\data` is `/C/data` there.
    """
    return as_listed(machine_form(path))


def machine_form(path: str) -> str:
    """The same with the bytes that are no text left as they are, as patterns may have them."""
    if sys.platform == "win32":
        drive, rest = os.path.splitdrive(path)
        return "/" + drive.rstrip(":") + rest.replace("\\", "/")
    return path


def as_listed(path: str) -> str:
    """A path as restic's listing spells it: each byte that is no text appears as U+FFFD."""
    return _NOT_TEXT.sub(_UNKNOWN, path)


def of_machine(inside: str) -> str:
    """The path of this machine for a path relative to a restored tree."""
    if sys.platform == "win32":
        drive, _, rest = inside.replace("\\", "/").partition("/")
        return f"{drive}:\\" + rest.replace("/", "\\")
    return "/" + inside


def pattern(path: str) -> str:
    """A restic pattern for exactly this path of a snapshot and what is below it.

    U+FFFD may stand for a byte that is no text, so it becomes a wildcard for one character.
    """
    escaped = _SPECIAL.sub(lambda found: f"[{found[0]}]", path)
    if sys.platform != "win32":
        escaped = escaped.replace("\\", "\\\\")
    return escaped.replace(_UNKNOWN, "?")


def is_below(path: str, folder: str) -> bool:
    """Whether a snapshot path is the given one or inside it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def nearest(path: Path) -> Path:
    """The path itself if there is anything at it, else the folder above it, however far up, that is there."""
    return next((each for each in (path, *path.parents) if os.path.lexists(each)), path)


def absolute(path: str) -> str:
    """The real path of something to protect: restic stores a link as a link, not what it points to.

    AgentError `usage` for what cannot be the path of anything here.
    """
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, RuntimeError, ValueError) as error:  # a user that there is not, links that go round, a NUL
        raise usage(
            f"{path} is not a path of this machine: {str(error).rstrip('.')}.", "Give the full path."
        ) from error
