"""Folders held by an open handle: whoever renames one, or puts a link in its place, leads nobody elsewhere.

Root needs that where another user can rename folders. Elsewhere than on Linux no path leads through a handle.
"""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator

_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def used() -> bool:
    """Whether folders are held: by root, who may write where others may not, and on Linux."""
    return sys.platform == "linux" and os.geteuid() == 0


@contextlib.contextmanager
def opened(path: str, *, make: bool = False) -> Iterator[int]:
    """A handle for the folder at a real path, while the block runs; with `make`, folders that are lacking are made.

    Each folder on the way is opened from the one above it, and none that is a link: what was put in the place of one
    since the path was resolved is not followed. OSError when it cannot be opened.
    """
    names = path.strip("/").split("/") if path.strip("/") else []
    handle = os.open("/", os.O_RDONLY | _FOLDER)
    try:
        for number, name in enumerate(names, 1):
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700 if number == len(names) else 0o777, dir_fd=handle)
            inner = _inner(name, handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _inner(name: str, handle: int) -> int:
    try:
        return os.open(name, os.O_RDONLY | _FOLDER, dir_fd=handle)
    except PermissionError:  # on a network disk root may be let through a folder that it may not list
        return os.open(name, getattr(os, "O_PATH", os.O_RDONLY) | _FOLDER, dir_fd=handle)


@contextlib.contextmanager
def closed_to_others(handle: int) -> Iterator[None]:
    """Nobody but us comes into the folder while the block runs; then it has its owner and mode again, and with the mode
    the mask of its access control list.

    PermissionError where the file system does not let us, and others may write to it.
    """
    before = os.fstat(handle)
    mode = stat.S_IMODE(before.st_mode)
    try:
        with contextlib.suppress(OSError):  # what counts is what came of it
            if before.st_uid != os.geteuid():  # first of all, or the owner would open it again
                os.fchown(handle, os.geteuid(), -1)
            # With setgid, folders that are made in it get its group as ever.
            os.fchmod(handle, stat.S_IRWXU | mode & stat.S_ISGID)
        if not _is_ours(os.fstat(handle)):
            raise PermissionError(1, "other users may write to it, and it cannot be closed to them for the restore")
        yield
    finally:
        _put_back(handle, before)


def _put_back(handle: int, before: os.stat_result) -> None:
    now = os.fstat(handle)
    if now.st_mode != before.st_mode:
        os.fchmod(handle, stat.S_IMODE(before.st_mode))
    if now.st_uid != before.st_uid:
        os.fchown(handle, before.st_uid, -1)


def _is_ours(state: os.stat_result) -> bool:
    return state.st_uid == os.geteuid() and not state.st_mode & _OTHERS_WRITE


def holds_nothing_of_others(handle: int, name: str) -> bool:
    """Whether this is an empty folder of ours, in a folder that is held."""
    try:
        inner = os.open(name, os.O_RDONLY | _FOLDER, dir_fd=handle)
    except OSError:
        return False
    try:
        return _is_ours(os.fstat(inner)) and not os.listdir(inner)
    finally:
        os.close(inner)


def path_of(handle: int) -> str | None:
    """A path that leads to the folder wherever it is moved, for us and for programs of the same user; None where there
    is no such thing, as without /proc."""
    path = f"/proc/{os.getpid()}/fd/{handle}"
    try:
        return path if os.path.samestat(os.stat(path), os.fstat(handle)) else None
    except OSError:
        return None
