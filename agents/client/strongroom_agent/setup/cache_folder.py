"""The cache folder: local, writable, and large enough for what is protected."""

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from strongroom_agent.core import mounts
from strongroom_agent.core.errors import AgentError, why
from strongroom_agent.core.paths import nearest
from strongroom_agent.core.patterns import Skip
from strongroom_agent.core.sizes import readable
from strongroom_agent.core.surroundings import require_own

from . import folders

_SHARE = 20  # one twentieth is 5 %
_BLOCK = 512


@dataclass(frozen=True)
class Extent:
    """How much there is to protect; of sparse files counts what they hold. `unreadable` is what a backup would lack."""

    files: int
    bytes: int
    unreadable: tuple[str, ...] = ()


def measure(paths: list[str], skip: Skip) -> Extent:
    """Count the regular files below `paths` and the bytes that they take up; what is in `skip` is left out."""
    files = size = 0
    unreadable: list[str] = []
    for path in paths:
        for length in _sizes(Path(path), skip, unreadable):
            files += 1
            size += length
    return Extent(files, size, tuple(unreadable))


def make(folder: Path, extent: Extent) -> int:
    """Make the folder, and check it as `check` does; the bytes that are free for it."""
    check(folder, extent)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return check(folder, extent)


def check(folder: Path, extent: Extent) -> int:
    """The bytes that are free for the folder, which is not made here. AgentError unless it is, or would be, writable,
    ours alone, local, and has 5 % of the data free."""
    try:
        require_own(folder)
        folders.try_writing(folder)
        free = shutil.disk_usage(nearest(folder)).free
    except OSError as error:
        raise _unwritable(folder, error) from error
    if is_remote(nearest(folder)):
        raise AgentError(
            "cache_not_local",
            f"The cache folder {folder} is on a network drive.",
            "Choose a folder on a local disk with --cache-dir.",
        )
    check_room(folder, extent.bytes, free)
    return free


def _unwritable(folder: Path, error: OSError) -> AgentError:
    return AgentError(
        "cache_unusable",
        f"The cache folder {folder} cannot be written to: {why(error)}.",
        "Choose another folder with --cache-dir.",
    )


def check_room(folder: Path, protected: int, free: int) -> None:
    """The 5 % rule by itself, on figures in bytes. AgentError with all three when it does not hold."""
    needed = share_of(protected)
    if free < needed:
        raise AgentError(
            "cache_too_small",
            f"The cache folder {folder} has {readable(free)} free; what is protected has "
            f"{readable(protected)}, and 5 % of that, {readable(needed)}, must be free.",
            "Free some space or choose another folder with --cache-dir.",
            protected_bytes=protected,
            needed_bytes=needed,
            free_bytes=free,
        )


def share_of(protected: int) -> int:
    """How many bytes must be free for so many that are protected: 5 %."""
    return -(-protected // _SHARE)


def is_remote(folder: Path) -> bool:
    """Whether the folder is on a network drive, as far as the system tells."""
    if sys.platform == "win32":
        import ctypes

        return str(folder).startswith("\\\\") or bool(ctypes.windll.kernel32.GetDriveTypeW(folder.anchor) == 4)
    return mounts.is_network(mounts.kind_of(str(folder.resolve())))


def _sizes(path: Path, skip: Skip, unreadable: list[str]) -> Iterator[int]:
    """Sizes of the regular files; what this user may not read is named, and left to the backup to complain about."""
    if path.is_file() and not path.is_symlink():
        yield _held(path.stat())
        return
    for folder, inside, names in os.walk(path, onerror=lambda error: unreadable.append(str(error.filename))):
        inside[:] = [each for each in inside if os.path.join(folder, each) not in skip]
        for name in names:
            if os.path.join(folder, name) in skip:
                continue
            try:
                status = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                if not os.access(os.path.join(folder, name), os.R_OK):
                    unreadable.append(os.path.join(folder, name))
                yield _held(status)


def _held(status: os.stat_result) -> int:
    """A disk image of 20 GiB may hold 3 MiB. The size where the system does not count blocks."""
    return min(status.st_size, status.st_blocks * _BLOCK) if hasattr(status, "st_blocks") else status.st_size
