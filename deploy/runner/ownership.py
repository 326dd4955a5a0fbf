"""Whose the data folder is, checked as sshd checks a home with keys in it: what others may write to is not trusted.

Whoever can write to a folder can put other files in the place of those in it, whatever the modes of these. So the
folder, everything that lies directly in it, each file with keys, and every folder above must belong to us or to root,
and be writable by nobody else; a folder above may be, when its sticky bit keeps others from renaming what is not theirs
(/tmp). A group that its owner alone is in counts as the owner, as in Debian's sshd: where umask is 002, all folders are
like that. No deeper look is taken at storage, which may be millions of files behind a folder that nobody else opens.
"""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from deploy.runner.refused import Refused

KEYS = ("secrets", "pki")
"""What is looked into: whoever changes one of these files is the portal. All else is made by the portal for itself."""


def check(folder: Path) -> None:
    """Raise Refused when somebody else could change what we go by, with the command that mends it."""
    for path, above in _places(folder):
        try:
            state = path.stat()
        except FileNotFoundError:  # a link to nothing, or a file of the database, which a portal that runs removes
            continue
        except OSError as error:
            raise Refused(f"{path} cannot be looked at ({error.strerror}).") from error
        if stat.S_ISSOCK(state.st_mode):
            continue  # holds nothing; the portal's own are in `run`, which nobody else may open
        if state.st_uid not in {os.geteuid(), 0}:
            raise Refused(
                f"{path} belongs to another user (id {state.st_uid}), who could change what Strongroom goes by;"
                f" make it yours: {_own(path)}"
            )
        guarded = above and state.st_mode & stat.S_ISVTX
        if _others_write(state) and not guarded:
            raise Refused(
                f"{path} (mode {stat.S_IMODE(state.st_mode):04o}) can be written by other users, who could change what"
                f" Strongroom goes by; take that away: chmod go-w {path}"
            )


def _others_write(state: os.stat_result) -> bool:
    if state.st_mode & stat.S_IWOTH:
        return True
    return bool(state.st_mode & stat.S_IWGRP) and not _is_owners_alone(state.st_gid, state.st_uid)


def _is_owners_alone(gid: int, uid: int) -> bool:
    """Whether the group is the one that the user has to themselves, by the name of both."""
    try:
        group, user = grp.getgrgid(gid), pwd.getpwuid(uid)
    except KeyError:
        return False
    return gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _places(folder: Path) -> Iterator[tuple[Path, bool]]:
    """What is looked at, and whether it is a folder above the data: as named, and where links lead."""
    yield folder, False
    yield from ((above, True) for above in _above(folder))
    for path in sorted(folder.iterdir()):
        yield path, False
        if path.is_symlink():
            yield from ((above, True) for above in _above(path))
    yield from ((path, False) for name in KEYS for path in sorted((folder / name).glob("*")))


def _above(path: Path) -> list[Path]:
    """The folders above, both of the path as it is written and of where it leads."""
    return list(dict.fromkeys([*path.absolute().parents, *path.resolve().parents]))


def _own(path: Path) -> str:
    return f"chown {os.geteuid()} {path}"
