"""Laying a fetched release beside the version that runs, as a folder of its own with the program in it."""

import errno
import os
import shutil
import tarfile
from pathlib import Path

from strongroom_agent.core import packaged
from strongroom_agent.core.errors import AgentError, why

from .manifest import Release, ReleaseFile
from .places import ARCHIVE, Place

_MOST_MEMBERS = 50_000
_MOST_BYTES = 2 << 30
_RESTIC = "restic"


def lay(place: Place, release: Release, fetched: Path, wanted: ReleaseFile) -> Path:
    """The new program, complete and on disk, which nothing starts yet; what lay there from an earlier try is replaced.

    AgentError `update_damaged` for an archive that is none of ours; OSError, with nothing left behind, where the disk
    is full.
    """
    target = place.versions / f"{release.version}-{wanted.sha256[:8]}"
    draft = place.versions / f".draft-{target.name}"
    for old in (draft, target):
        remove(old)
    try:
        draft.mkdir(mode=0o755)
        draft.chmod(0o755)
        _unpack(fetched, draft) if place.kind == ARCHIVE else _put(place, fetched, draft)
        _to_disk(draft)
        draft.rename(target)
    except (tarfile.TarError, EOFError, UnicodeError) as error:
        remove(draft)
        raise _not_ours(wanted, str(error)) from error
    except OSError as error:
        remove(draft)
        if error.errno is None or error.errno == errno.EINVAL:  # what gzip and zlib say of other content
            raise _not_ours(wanted, str(error)) from error
        raise OSError(error.errno, why(error), error.filename or str(place.versions)) from error
    except BaseException:
        remove(draft)
        raise
    if not os.access(target / packaged.PROGRAM, os.X_OK) or not (target / packaged.PROGRAM).is_file():
        remove(target)
        raise _not_ours(wanted, "the program is not in it")
    return target / packaged.PROGRAM


def remove(path: Path) -> None:
    """Delete a folder of ours, if it is there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)


def _put(place: Place, fetched: Path, folder: Path) -> None:
    """The single file, with the restic that lies beside the installed one."""
    program = folder / packaged.PROGRAM
    shutil.copyfile(fetched, program)
    program.chmod(0o755)
    if (place.folder / _RESTIC).is_file():
        (folder / _RESTIC).symlink_to(Path("..") / ".." / _RESTIC)


def _unpack(fetched: Path, folder: Path) -> None:
    """What lies in the archive's one folder."""
    size = 0
    with tarfile.open(fetched, "r:gz") as archive:
        for number, member in enumerate(archive):
            top, _, rest = member.name.partition("/")
            size += member.size
            if top != packaged.PROGRAM or number > _MOST_MEMBERS or size > _MOST_BYTES:
                raise tarfile.TarError(f"{member.name} does not belong into it")
            if not rest:
                continue
            member.name = rest
            if member.islnk():
                member.linkname = member.linkname.partition("/")[2]
            archive.extract(member, folder, filter="data")


def _to_disk(folder: Path) -> None:
    """Or a machine that goes down just after the switch would find empty files behind it."""
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            continue
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _not_ours(wanted: ReleaseFile, what: str) -> AgentError:
    return AgentError(
        "update_damaged",
        f"{wanted.name} is signed, and yet no package of this kind: {what}. Nothing was changed.",
        "Tell an administrator of the portal: the release has to be made again.",
    )
