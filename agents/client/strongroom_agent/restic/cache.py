"""restic's cache on this machine: copies of objects, which a crash or a bad disk can damage.

restic believes them, so a damaged copy would look like a damaged vault. Each is named by the SHA-256 of its content:
what is not as its name says is thrown away before a run, and restic fetches it anew.
"""

import hashlib
import os
import re
import shutil
import stat
from pathlib import Path

from strongroom_agent.core.errors import AgentError, why
from strongroom_agent.core.output import progress

_OBJECT = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(rb"\d{1,4}\s*")


def make_sound(folder: Path) -> None:
    """Throw away every copy in the cache that is not what its name says; the folder is there afterwards.

    AgentError `cache_unusable` when what is there can be neither used nor removed.
    """
    try:
        dropped = _dropped(folder)
    except OSError:
        drop(folder)
        dropped = 1
    if dropped:
        progress(f"note: damaged copies in the cache were removed ({dropped}); they are fetched again.")
    _make(folder)


def drop(folder: Path) -> None:
    """Remove the whole cache, whatever it has become. AgentError `cache_unusable` if that is impossible."""
    try:
        if os.path.islink(folder) or not os.path.isdir(folder):
            folder.unlink(missing_ok=True)
            return
        os.chmod(folder, 0o700)
        for parent, folders, _ in os.walk(folder):
            for path in (os.path.join(parent, name) for name in folders):
                if not os.path.islink(path):
                    os.chmod(path, 0o700)
        shutil.rmtree(folder)
    except OSError as error:
        raise _unusable(folder, error) from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error


def _dropped(folder: Path) -> int:
    """Remove what is damaged; how many copies that were. OSError where that does not go."""
    if not os.path.lexists(folder):
        return 0
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink()
        return 1
    dropped = 0
    for parent, folders, names in os.walk(folder, onerror=_raise):
        for name in folders:
            os.scandir(os.path.join(parent, name)).close()  # one that cannot be read is an error here
        for name in names:
            path = os.path.join(parent, name)
            if not _sound(path, name):
                os.unlink(path)
                dropped += 1
    return dropped


def _sound(path: str, name: str) -> bool:
    """Whether a file is what its name says; files that restic does not read count as sound."""
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        return False
    if name == "version":
        return bool(_VERSION.fullmatch(Path(path).read_bytes()[:16]))
    if not _OBJECT.fullmatch(name):
        # A file in place of a folder for copies would make restic stumble.
        return len(name) > 2 and name not in ("data", "index", "snapshots")
    if status.st_mode & stat.S_IRUSR == 0:
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == name


def _raise(error: OSError) -> None:
    raise error


def _unusable(folder: Path, error: OSError) -> AgentError:
    return AgentError(
        "cache_unusable",
        f"The cache folder {folder} cannot be used: {why(error)}.",
        "Remove it, or choose another cache folder by running setup again with --cache-dir.",
    )
