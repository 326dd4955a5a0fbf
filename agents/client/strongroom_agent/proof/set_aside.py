"""Renaming in a target folder: what is not proven, and what stands in the way of a restore.

Nothing is deleted before what takes its place is proven.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

UNPROVEN = ".strongroom-unproven"
_REPLACED = ".strongroom-replaced"
_NAME_LIMIT = 255  # bytes, on the file systems in use


@dataclass
class Aside:
    """What was there before and was renamed, to be deleted or put back when the restore is over."""

    moved: dict[str, str] = field(default_factory=dict)  # real path: where it is now

    def put(self, real: str) -> None:
        """Rename what is there, so that it is neither written through nor written to. OSError when impossible."""
        self.moved[real] = rename(real, _REPLACED)

    def settle(self, *, proven: bool) -> list[str]:
        """Put back what was not replaced; delete what was if all is proven, otherwise leave it. What was left."""
        left = []
        for real, now in self.moved.items():
            folder, name = os.path.split(now)
            try:
                with _in_folder(folder) as at:
                    if not os.path.lexists(real):
                        at.rename(name, os.path.basename(real))
                    elif proven:
                        at.unlink(name)
                    else:
                        left.append(now)
            except OSError:  # one that cannot be moved must not keep the others, and the answer, from being settled
                left.append(now)
        self.moved.clear()
        return left


def remove(real: str) -> None:
    """Delete a file or link, also in a folder that forbids it."""
    folder, name = os.path.split(real)
    with _in_folder(folder) as at:
        at.unlink(name)


def rename(real: str, suffix: str) -> str:
    """Give what is there a free name with a suffix, in the same folder; the new path."""
    folder, name = os.path.split(real)
    with _in_folder(folder) as at:
        for number in range(1, 1000):
            tail = suffix if number == 1 else f"{suffix}-{number}"
            short = os.fsdecode(os.fsencode(name)[: _NAME_LIMIT - len(tail)])
            if not at.has(short + tail):
                at.rename(name, short + tail)
                return os.path.join(folder, short + tail)
    raise FileExistsError(real)


class _Folder:
    """A folder in which things are done by name alone, as a path with a longer name may be more than the system takes.

    `handle` is None where the system knows no such thing.
    """

    def __init__(self, path: str, handle: int | None) -> None:
        self._before = "" if handle is not None else os.path.join(path, "")
        self._at = handle

    def has(self, name: str) -> bool:
        try:
            os.stat(self._before + name, dir_fd=self._at, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def rename(self, old: str, new: str) -> None:
        os.rename(self._before + old, self._before + new, src_dir_fd=self._at, dst_dir_fd=self._at)

    def unlink(self, name: str) -> None:
        os.unlink(self._before + name, dir_fd=self._at)


@contextlib.contextmanager
def _in_folder(path: str) -> Iterator[_Folder]:
    """The folder, writable while the block runs."""
    with _writable_folder(path):
        if os.rename not in os.supports_dir_fd:
            yield _Folder(path, None)
            return
        handle = os.open(path, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY)
        try:
            yield _Folder(path, handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _writable_folder(folder: str) -> Iterator[None]:
    """Restored folders may forbid what has to be done in them; they get their modes back."""
    mode = stat.S_IMODE(os.lstat(folder).st_mode)
    closed = mode & 0o300 != 0o300
    if closed:
        os.chmod(folder, mode | 0o700)
    try:
        yield
    finally:
        if closed:
            os.chmod(folder, mode)
