"""Files that a snapshot should have and has not: what a comparison of restored files cannot see."""

import os
import stat
from collections.abc import Iterator

from strongroom_agent.core.paths import in_snapshot
from strongroom_agent.core.patterns import Skip
from strongroom_agent.restic.snapshots import Listed


def overlooked(protect: list[str], skip: Skip, files: list[Listed], began_ns: int) -> list[str]:
    """Regular files that were there, readable, before the snapshot began, and are not in it.

    Whatever was changed or moved since is left out: it could not have been in it.
    """
    known = {each.path for each in files}
    return [
        path
        for root in protect
        for path in _settled_files(root, skip, began_ns)
        if in_snapshot(path) not in known and os.access(path, os.R_OK)
    ]


def _settled_files(folder: str, skip: Skip, began_ns: int) -> Iterator[str]:
    """Files unchanged since, in folders unchanged since: a folder moved here brings old files along."""
    if folder in skip or not _settled(folder, began_ns):
        return
    if not os.path.isdir(folder):
        yield folder
        return
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _settled_files(entry.path, skip, began_ns)
        elif entry.is_file(follow_symlinks=False) and entry.path not in skip and _settled(entry.path, began_ns):
            yield entry.path


def _settled(path: str, began_ns: int) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return not stat.S_ISLNK(status.st_mode) and max(status.st_ctime_ns, status.st_mtime_ns) < began_ns
