"""Collecting static files, only when they have changed: hashing and rewriting them costs seconds."""

import hashlib
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.management import call_command

STAMP = ".collected"


class KnownAddresses(ManifestStaticFilesStorage):
    """Each address is made once in the life of a process, which no collecting outlives: a page has a dozen of them."""

    def __init__(self) -> None:
        super().__init__()
        self._known = cache(super().url)

    def url(self, name: str | None, force: bool = False) -> str:
        """The address of a file that was collected."""
        return self._known(name, force)


def collect() -> bool:
    """Bring STATIC_ROOT up to date; False when it was. Files that are gone from the sources go there too."""
    stamp = Path(settings.STATIC_ROOT) / STAMP
    found = fingerprint()
    if stamp.exists() and stamp.read_text() == found:
        return False
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(found)
    return True


def fingerprint() -> str:
    """Changes when any source file does: names, sizes and times of all, and how they are stored."""
    digest = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
