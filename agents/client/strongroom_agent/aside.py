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
            with _writable_folder(os.path.dirname(now)):
                if not os.path.lexists(real):
                    os.rename(now, real)
                elif proven:
                    os.unlink(now)
                else:
                    left.append(now)
        self.moved.clear()
        return left


def remove(real: str) -> None:
    """Delete a file or link, also in a folder that forbids it."""
    with _writable_folder(os.path.dirname(real)):
        os.unlink(real)


def rename(real: str, suffix: str) -> str:
    """Give what is there a free name with a suffix, in the same folder; the new path."""
    folder, name = os.path.split(real)
    with _writable_folder(folder):
        for number in range(1, 1000):
            tail = suffix if number == 1 else f"{suffix}-{number}"
            short = os.fsdecode(os.fsencode(name)[: _NAME_LIMIT - len(tail)])
            free = os.path.join(folder, short + tail)
            if not os.path.lexists(free):
                os.rename(real, free)
                return free
    raise FileExistsError(real)


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
