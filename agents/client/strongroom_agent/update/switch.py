"""Which version the program is: a link, replaced in one step, so that at any moment it is the old one or the new one.

The first time the program is still the file that setup has put there. It stays as `previous`, a second name of the same
file in the same folder, since a program finds what it needs beside itself.
"""

import os
from pathlib import Path

from strongroom_agent.core import packaged

from .laying import remove
from .places import ARCHIVE, Place

_OF_SETUP = ("python", "licences", "restic", "bill-of-materials.cdx.json", packaged.ABOUT)
"""What an archive has beside the program."""


def switch(place: Place, program: Path) -> None:
    """From now on the new one is started; what was started so far is `previous`."""
    _copy(place, place.program, place.previous)
    draft = _draft(place)
    draft.symlink_to(program.relative_to(place.folder))
    os.replace(draft, place.program)
    _folder_to_disk(place.folder)


def go_back(place: Place) -> None:
    """What was started before the last switch is started again."""
    _copy(place, place.previous, place.program)
    _folder_to_disk(place.folder)


def tidy(place: Place) -> None:
    """Delete what neither the program nor its previous version needs."""
    _draft(place).unlink(missing_ok=True)
    used = {path.resolve().parent for path in (place.program, place.previous) if path.exists()}
    for path in place.versions.iterdir():
        if path.is_dir() and path.resolve() not in used:
            remove(path)
    of_setup = (place.folder / packaged.ABOUT).is_file() and not packaged.installed_by(place.folder)
    if place.kind == ARCHIVE and of_setup and place.folder.resolve() not in used:
        for name in _OF_SETUP:
            remove(place.folder / name)


def _copy(place: Place, source: Path, target: Path) -> None:
    """Make `target` what `source` is, in one step: a link to the same place, or a second name of the same file."""
    draft = _draft(place)
    if source.is_symlink():
        draft.symlink_to(source.readlink())
    else:
        os.link(source, draft)
    os.replace(draft, target)
    draft.unlink(missing_ok=True)  # still there where both were names of the same file already


def _draft(place: Place) -> Path:
    """A name for what replaces another; one that was left by a killed run is taken away."""
    draft = place.folder / ".strongroom-agent.new"
    draft.unlink(missing_ok=True)
    return draft


def _folder_to_disk(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
