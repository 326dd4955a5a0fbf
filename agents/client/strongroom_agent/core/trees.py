"""Deleting folders that were restored, also where their own modes forbid it."""

import os
import shutil
import stat


def remove(folder: str) -> None:
    """Delete a restored tree."""
    _open_up(folder)
    shutil.rmtree(folder)


def empty(folder: str) -> None:
    """Delete what is in a folder of ours; a new disk's `lost+found` stays."""
    for entry in list(os.scandir(folder)):
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
        elif entry.name != "lost+found" or os.listdir(entry.path):
            remove(entry.path)


def _open_up(folder: str) -> None:
    os.chmod(folder, 0o700)
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = os.path.join(parent, name)
            if not stat.S_ISLNK(os.lstat(path).st_mode):
                os.chmod(path, 0o700)
