"""The data folder: usable, with a path that every program understands, and ours alone while we run."""

import errno
import fcntl
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from deploy.runner import ownership
from deploy.runner.refused import Refused

ROOT = Path(__file__).resolve().parent.parent.parent
SOCKET_PATH_LIMIT = 103  # bytes; Linux has 107, macOS 103
LONGEST_SOCKET = "run/gateway-{slug}.sock"
SLUG = "local-a"  # of a first start
PLAIN_PATH = re.compile(r"[\w/.,@+=~-]+", re.ASCII)


def usable(folder: Path) -> Path:
    """The folder, made if need be (mode 0700 then); raises Refused when it cannot serve."""
    if not PLAIN_PATH.fullmatch(str(folder)):
        raise Refused(f"the data folder {folder} needs a path of plain letters, digits and . , @ + = ~ - only.")
    check_sockets(folder, [SLUG])
    if folder.exists() and not folder.is_dir():
        raise Refused(f"the data folder {folder} is a file; set STRONGROOM_DATA to a folder.")
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Refused(f"the data folder {folder} cannot be written ({error.strerror}).") from error
    ownership.check(folder)
    for name in ("run", "logs", "broker", "edge", "gateway"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    (folder / "run").chmod(0o700)  # its sockets have no other protection
    return folder


def check_sockets(folder: Path, slugs: Sequence[str]) -> None:
    """Refuse a folder whose path is too long for the sockets below it, of which the regions' have the longest names."""
    longest = max(
        (folder / LONGEST_SOCKET.format(slug=slug) for slug in slugs), key=lambda path: len(os.fsencode(path))
    )
    if (over := len(os.fsencode(longest)) - SOCKET_PATH_LIMIT) > 0:
        raise Refused(
            f"the path of the data folder {folder} is too long for sockets; set STRONGROOM_DATA to a shorter one. "
            f"{longest} is {over} bytes too long."
        )


def lock(folder: Path) -> IO[str]:
    """Hold the folder until the file that is returned is closed; raises Refused when another start holds it."""
    file = (folder / "run" / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        with file:
            file.seek(0)
            holder = file.read().strip() or "unknown"
        if error.errno not in {errno.EAGAIN, errno.EACCES}:
            raise
        raise Refused(f"Strongroom already runs on the data folder {folder} (process {holder}).") from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
