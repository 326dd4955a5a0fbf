"""Folders held by an open handle: whoever renames one, or puts a link in its place, leads nobody elsewhere.

Root needs that where another user can rename folders. Elsewhere than on Linux no path leads through a handle.
"""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass

_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MOST_LINKS = 40  # as the system follows
_DEFAULT_ACL = "system.posix_acl_default"


def used() -> bool:
    """Whether folders are held: by root, who may write where others may not, and on Linux."""
    return sys.platform == "linux" and os.geteuid() == 0


@dataclass(frozen=True)
class Opened:
    """A folder's handle, its real path, and which folders were made on the way, the innermost first."""

    handle: int
    name: str
    made: list[str]


@contextlib.contextmanager
def opened(path: str, *, make: bool = False) -> Iterator[Opened]:
    """The folder at a path, while the block runs; with `make`, folders that are lacking are made.

    Each folder on the way is opened from the one above it. Of links only those are followed that nobody but root can
    have put there. OSError when it cannot be opened: PermissionError for a link that another user may have put there,
    or where the folder that was made last was exchanged at once.
    """
    walk = _Walk(make)
    try:
        walk.go(path if os.path.isabs(path) else os.path.join(os.getcwd(), path))  # the current folder may be gone
        yield Opened(walk.handle, walk.name, walk.made[::-1])
    except BaseException:
        if not walk.arrived:
            remove_empty(walk.made[::-1])
        raise
    finally:
        os.close(walk.handle)


class _Walk:
    """From the root folder to the one that is asked for."""

    def __init__(self, make: bool) -> None:
        self.handle = os.open("/", os.O_RDONLY | _FOLDER)
        self.made: list[str] = []
        self.arrived = False
        self._make, self._names, self._links = make, list[str](), 0

    @property
    def name(self) -> str:
        return "/" + "/".join(self._names)

    def go(self, path: str) -> None:
        parts = _parts(path)
        while parts:
            name = parts.pop(0)
            target = self._link(name)
            if target is None:
                self._enter(name, last=not parts)
            else:
                parts = [*_parts(target), *parts]
                if target.startswith("/"):
                    self._to("/", None)
        self.arrived = True

    def _link(self, name: str) -> str | None:
        """Where a link leads that may be followed; None for whatever is no link."""
        try:
            found = os.stat(name, dir_fd=self.handle, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISLNK(found.st_mode):
            return None
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(40, "Too many levels of symbolic links")
        if found.st_uid != os.geteuid() or not _only_root_puts_links(os.fstat(self.handle)):
            raise PermissionError(1, f"{os.path.join(self.name, name)} is a link that another user may have put there")
        return os.readlink(name, dir_fd=self.handle)

    def _enter(self, name: str, *, last: bool) -> None:
        made = False
        if self._make and name != "..":
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700 if last else 0o777, dir_fd=self.handle)
                made = True
        self._to(name, self.handle)
        if made:
            self.made.append(self.name)
            if last and not _is_ours(os.fstat(self.handle)):
                raise PermissionError(1, "another user has exchanged it as soon as it was made")

    def _to(self, name: str, above: int | None) -> None:
        try:
            inner = os.open(name, os.O_RDONLY | _FOLDER, dir_fd=above)
        except PermissionError:  # on a network disk root may be let through a folder that it may not list
            inner = os.open(name, getattr(os, "O_PATH", os.O_RDONLY) | _FOLDER, dir_fd=above)
        os.close(self.handle)
        self.handle = inner
        if above is None:
            self._names = []
        elif name == "..":
            self._names = self._names[:-1]
        else:
            self._names.append(name)


def _parts(path: str) -> list[str]:
    return [each for each in path.split("/") if each not in ("", ".")]


def _only_root_puts_links(folder: os.stat_result) -> bool:
    """Whether a link of root's in this folder was put there by root: others can rename nothing in it."""
    return folder.st_uid == 0 and (not folder.st_mode & _OTHERS_WRITE or bool(folder.st_mode & stat.S_ISVTX))


def remove_empty(folders: list[str]) -> None:
    """Take away those of the folders, the innermost first, that have nothing in them; up to the first that has."""
    with contextlib.suppress(OSError):
        for each in folders:
            if used():
                with opened(os.path.dirname(each)) as above:
                    os.rmdir(os.path.basename(each), dir_fd=above.handle)
            else:
                os.rmdir(each)


@contextlib.contextmanager
def closed_to_others(handle: int) -> Iterator[None]:
    """Nobody but us comes into the folder while the block runs; then it has its owner, mode and lists of access again.

    PermissionError where the file system does not let us, and others may write to it, or have a say in what is made.
    """
    before, inherited = os.fstat(handle), _inherited(handle)
    mode = stat.S_IMODE(before.st_mode)
    try:
        with contextlib.suppress(OSError):  # what counts is what came of it
            if before.st_uid != os.geteuid():  # first of all, or the owner would open it again
                os.fchown(handle, os.geteuid(), -1)
            # With setgid, folders that are made in it get its group as ever.
            os.fchmod(handle, stat.S_IRWXU | mode & stat.S_ISGID)
            if inherited is not None:  # whatever is made would be open to those whom it names
                os.removexattr(handle, _DEFAULT_ACL)
        if not _is_ours(os.fstat(handle)) or _inherited(handle) is not None:
            raise PermissionError(1, "other users may write to it, and it cannot be closed to them for the restore")
        yield
    finally:
        _put_back(handle, before, inherited)


def _inherited(handle: int) -> bytes | None:
    """The access control list that what is made in the folder gets; None where there is none."""
    try:
        return os.getxattr(handle, _DEFAULT_ACL)
    except OSError:  # none, or a file system that knows no such thing
        return None


def _put_back(handle: int, before: os.stat_result, inherited: bytes | None) -> None:
    if inherited is not None and _inherited(handle) is None:
        os.setxattr(handle, _DEFAULT_ACL, inherited)
    now = os.fstat(handle)
    if now.st_mode != before.st_mode:  # with the mode, the mask of its own list
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
