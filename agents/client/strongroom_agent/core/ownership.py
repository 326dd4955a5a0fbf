"""Whose a folder is that the agent works in, looked at as ssh looks at a home with keys in it.

Whoever can write to a folder, or to one above it, can put a link or other files in the place of what is in it, whatever
the modes of these; then we would delete, overwrite or protect for them what only we may reach. So it must belong to us
or to root, and be writable by nobody else; a folder above may be where its sticky bit keeps others from renaming what
is not theirs (/tmp). A group that its owner alone is in counts as the owner: where umask is 002, all folders are so.
"""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from . import acl


def problem(folder: Path, *, groups: bool = False, sticky: bool = False) -> str:
    """Why others could change what is in the folder, for the middle of a sentence; "" when they cannot.

    With `groups` a group may write to it, as Debian's `staff` may to /usr/local/bin; with `sticky` its own sticky bit
    counts too, which keeps what is ours in it ours. On Windows modes say nothing, and only owners are looked at.
    OSError when it is not there or cannot be looked at.
    """
    if sys.platform == "win32":
        return next((_owned(path) for path, _ in _places(folder) if acl.foreign_owner(path)), "")
    for path, above in _places(folder):
        state = path.stat()
        if state.st_uid not in {os.geteuid(), 0}:
            return f"{path} belongs to another user (id {state.st_uid})"
        guarded = (above or sticky) and state.st_mode & stat.S_ISVTX
        if _others_write(state, groups=groups) and not guarded:
            return f"{path} (mode {stat.S_IMODE(state.st_mode):04o}) can be written by other users"
    return ""


def foreign(folder: Path) -> str:
    """The same for what lies in the folder and belongs to neither us nor root; "" when nothing does."""
    if sys.platform == "win32":
        return next((_owned(path) for path in sorted(folder.iterdir()) if acl.foreign_owner(path)), "")
    for path in sorted(folder.iterdir()):
        if (owner := path.lstat().st_uid) not in {os.geteuid(), 0}:
            return f"{path} belongs to another user (id {owner})"
    return ""


def _owned(path: Path) -> str:
    return f"{path} belongs to another user ({acl.foreign_owner(path)})"


def _places(folder: Path) -> Iterator[tuple[Path, bool]]:
    """What is looked at, and whether it is a folder above: of the path as it is written, and of where it leads."""
    yield folder, False
    for above in dict.fromkeys([*folder.absolute().parents, *folder.resolve().parents]):
        yield above, True


def _others_write(state: os.stat_result, *, groups: bool) -> bool:
    if state.st_mode & stat.S_IWOTH:
        return True
    return not groups and bool(state.st_mode & stat.S_IWGRP) and not _is_owners_alone(state.st_gid, state.st_uid)


def _is_owners_alone(gid: int, uid: int) -> bool:
    """Whether the group is the one that the user has to themselves, by the name of both; root's counts too."""
    import grp  # not there on Windows
    import pwd

    try:
        group, user = grp.getgrgid(gid), pwd.getpwuid(uid)
    except KeyError:
        return False
    return gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
