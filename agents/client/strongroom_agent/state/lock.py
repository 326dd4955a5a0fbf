"""One run at a time: a lock that the system itself drops when the process dies, so that no dead run blocks."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.times import for_people, now

_LOCKED_BYTE = 1 << 30
_TRIES, _PAUSE = 4, 0.1


@contextlib.contextmanager
def held(file: BinaryIO) -> Iterator[None]:
    """Hold the lock on an open file. AgentError `busy` when another run holds it, with what it says of itself."""
    if not _lock(file.fileno()):
        raise AgentError(
            "busy",
            f"Another run of strongroom-agent is in progress on this machine{_holder(file)}.",
            "Wait until it has finished, then try again.",
        )
    file.truncate(0)
    file.write(f"pid {os.getpid()}, since {for_people(now())}".encode())
    file.flush()
    yield


def taken(file: BinaryIO) -> bool:
    """Whether somebody else holds the lock. When not, it is ours until the file is closed."""
    return not _try(file.fileno())


def _holder(file: BinaryIO) -> str:
    with contextlib.suppress(OSError):
        file.seek(0)
        text = file.read(200).decode("ascii", "replace")
        return f" ({text})" if text.isprintable() and text else ""
    return ""


def _lock(handle: int) -> bool:
    """With a little patience: `status` holds the lock for the moment in which it looks."""
    for _ in range(_TRIES):
        if _try(handle):
            return True
        time.sleep(_PAUSE)
    return False


def _try(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)  # far from the text, which others are to read
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
