"""Free room for a restore: asked for first, and refused only where it certainly does not fit."""

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.paths import as_listed
from strongroom_agent.core.sizes import counted, readable
from strongroom_agent.restic.process import Restic
from strongroom_agent.restic.snapshots import Listed, Snapshot


def check(
    target: str, wanted: list[Listed], others_bytes: int, least: Callable[[], int] | None, *, overwrite: bool
) -> None:
    """AgentError `no_room` when `wanted` certainly does not fit below `target`.

    `least` asks how many bytes the whole snapshot has at the very least, holes in files left out; None where the engine
    fills holes. `others_bytes` is the length of the files that are not wanted. Only when the plain lengths do not fit
    is there anything to ask.
    """
    needed = _lengths(target, wanted, overwrite=overwrite)
    short = {disk: size for disk, size in needed.items() if size > _free(disk)}
    if not short:
        return
    if least is not None:
        whole = sum(needed.values())
        certain = max(0, min(whole, least() - others_bytes))
        # On several disks it is not known on which of them the holes are.
        short = {disk: certain for disk in short if len(needed) == 1 and certain > _free(disk)}
    for disk, size in short.items():
        raise no_room(disk, size, at_least=least is not None)


def became_full(target: str, path: str, said: str, lacking: list[Listed]) -> AgentError:
    """The refusal when the disk that a path of the snapshot belongs on has filled meanwhile, as restic `said`.

    It counts those of the `lacking` files that belong there; what has arrived of them is part of what is taken.
    """
    disks: dict[int, str] = {}
    where = _disk(_below(target, path), target, disks)
    files, needed = 0, 0
    for each in lacking:
        if _disk(os.path.dirname(_below(target, each.path)), target, disks) == where:
            files, needed = files + 1, needed + each.size
    if "quota" in said:
        what = "No more may be stored"
    elif _entries_left(where):
        what = "The disk became full"
    else:
        what = "The disk takes no more files (it has no inodes left)"
    free = _free(where)
    return AgentError(
        "no_room",
        f"{what} at {where}: {counted(files, 'file')}, {readable(needed)}, could not be restored there; "
        f"{readable(free)} are free.",
        "Free some space there, or give --target on another disk; delete what was left here, then restore again.",
        needed_bytes=needed,
        free_bytes=free,
    )


def no_room(where: str, needed: int, *, at_least: bool = False) -> AgentError:
    """The refusal, with both figures."""
    free = _free(where)
    about = "at least " if at_least else ""
    return AgentError(
        "no_room",
        f"There is no room for it at {where}: {about}{readable(needed)} are needed, {readable(free)} are free.",
        "Free some space, give --target on another disk, or restore a part with --include.",
        needed_bytes=needed,
        free_bytes=free,
    )


def least_bytes(restic: Restic, snapshot: Snapshot) -> int:
    """How many bytes the files of a snapshot occupy at the very least.

    The larger of two figures that are never too high in practice: what is stored of it, compressed, and half of it
    uncompressed with each repeated block counted once; holes are nearly nothing in the first, and each piece of data
    between holes may bring some of them along in the second.
    """
    lines: list[str] = []
    restic.run("stats", "--json", "--mode", "raw-data", snapshot.id, on_line=lines.append)
    found = json.loads(lines[-1])
    return max(int(found["total_size"]), int(found.get("total_uncompressed_size", 0)) // 2)


def _free(folder: str) -> int:
    return shutil.disk_usage(folder).free


def _entries_left(folder: str) -> bool:
    """Whether the file system can number one more file. Some, as btrfs, have no such limit and say 0 of 0."""
    if sys.platform == "win32":
        return True
    status = os.statvfs(folder)
    return status.f_files == 0 or status.f_favail > 0


def _lengths(target: str, wanted: Iterable[Listed], *, overwrite: bool) -> Counter[str]:
    """Bytes needed on each disk, named by a folder on it. Hard links count once, and what is replaced in place only
    with what it grows by."""
    needed: Counter[str] = Counter()
    folders: dict[str, str] = {}
    disks: dict[int, str] = {}
    seen: set[tuple[int, int, int]] = set()
    for each in wanted:
        key = (each.inode, each.size, each.mtime_ns)
        if each.inode and key in seen:
            continue
        seen.add(key)
        if not overwrite:
            needed[target] += each.size
            continue
        folder = os.path.dirname(each.path)
        if folder not in folders:
            folders[folder] = _disk(_below(target, folder), target, disks)
        needed[folders[folder]] += max(0, each.size - _there(_below(target, each.path)))
    return needed


def _below(target: str, path: str) -> str:
    """Where a path of the snapshot is restored to."""
    return os.path.join(target, path.lstrip("/"))


def _disk(folder: str, target: str, disks: dict[int, str]) -> str:
    """The uppermost folder below the target of the disk where `folder` is or would be made."""
    while len(folder) > len(target) and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    disk = os.stat(folder).st_dev
    while len(folder) > len(target) and os.stat(os.path.dirname(folder)).st_dev == disk:
        folder = os.path.dirname(folder)
    return disks.setdefault(disk, folder)


def _there(path: str) -> int:
    """What a file occupies that would be replaced in place; 0 if there is none, or it is no plain file."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return 0
    occupied = getattr(status, "st_blocks", 0) * 512
    return occupied if status.st_nlink == 1 and as_listed(path) == path else 0
