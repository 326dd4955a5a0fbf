"""What the programs that we start see of their surroundings: what is written here, and nothing else.

The calling shell's proxies, temporary folder, locale, time zone and settings for Go or restic change nothing. So a
backup made by cron, by a person and by a service is the same.
"""

import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from . import acl, ownership, paths
from .errors import AgentError

# Without these, programs on Windows find neither their libraries nor a random number.
_WINDOWS = ("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS")
_PR_SET_PDEATHSIG = 1
TEMPORARY, RESTIC = "tmp", "restic"
"""The folders in the cache folder: for files that do not outlast a run, and restic's cache."""


def environment(temporary: str, proxy: str | None = None) -> dict[str, str]:
    """The whole environment of restic: temporary files in `temporary`, and only the configured proxy.

    restic can be told about a proxy in no other way.
    """
    kept = {name: os.environ[name] for name in (_WINDOWS if sys.platform == "win32" else ()) if name in os.environ}
    kept |= {"PATH": search_path(), "HOME": temporary, "TZ": "UTC"}
    kept |= {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "RESTIC_PROGRESS_FPS": "1"}
    kept |= dict.fromkeys(("TMPDIR", "TMP", "TEMP"), temporary)
    if proxy:
        kept |= {"HTTPS_PROXY": proxy, "NO_PROXY": ""}
    return kept


def search_path() -> str:
    """Where programs are looked for: the parts of PATH that name a place by themselves.

    Others, and empty ones, mean the folder that a person stands in, where anybody may have put a program.
    """
    parts = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(part for part in parts if os.path.isabs(part))


def find_program(name: str) -> str | None:
    """The path of a program, from the places of `search_path()` alone; None when it is in none of them."""
    for part in search_path().split(os.pathsep):
        if part and (found := find_in(part, name)):
            return found
    return None


def find_in(folder: str | Path, name: str) -> str | None:
    """The path of a program in exactly this folder; None when it is not there."""
    # With a folder before it, Windows does not look in the current one first; nor does it guess an extension.
    return shutil.which(os.path.join(folder, f"{name}.exe" if sys.platform == "win32" else name))


def temporary_folder(cache_dir: Path) -> str:
    """The folder for temporary files inside the cache folder, whose room is checked; made if it is not there.

    AgentError `cache_unusable` when others could change what is in it.
    """
    folder = cache_dir / TEMPORARY
    if sys.platform == "win32" and not os.path.lexists(folder):
        _make_private(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_own(cache_dir)
    return str(folder)


def _make_private(folder: Path) -> None:
    """For what is restored to be compared. OSError, and there is no folder, when it cannot be had for us alone."""
    folder.mkdir(parents=True)
    try:
        acl.restrict(folder)
    except OSError:
        folder.rmdir()
        raise


def clear_temporary(cache_dir: Path) -> None:
    """Remove what a run that was killed has left in the temporary folder. Only while no other run is on.

    AgentError `cache_unusable`, and nothing is removed, when others could have put something in its place.
    """
    folder = cache_dir / TEMPORARY
    if not folder.is_dir():
        return
    require_own(cache_dir)
    for left in folder.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def require_own(cache_dir: Path) -> None:
    """AgentError `cache_unusable` when others could have put links or files of theirs where we write and delete.

    They may write to the cache folder itself where its sticky bit is set, as in one that is a file system of its own:
    what is ours there they cannot rename. Where the folder is not there yet, the one counts that it would be made in.
    """
    trouble = ownership.problem(paths.nearest(cache_dir), sticky=True)
    for folder in (cache_dir / TEMPORARY, cache_dir / RESTIC):
        if not trouble and folder.is_symlink():
            trouble = f"{folder} is a link"
        elif not trouble and folder.exists():
            trouble = ownership.problem(folder)
    if trouble:
        raise AgentError(
            "cache_unusable",
            f"The cache folder {cache_dir} cannot be trusted: {trouble}. Others could change what is in it.",
            "Keep the folder, and those above it, for this user alone; or run setup again with another --cache-dir.",
        )


def dies_with_us() -> Callable[[], None] | None:
    """What a child has to call before it becomes another program, so that it ends when this thread does.

    Even kill -9 leaves nobody behind that writes to the repository. Linux only; None elsewhere. The system counts the
    *thread* that started the child, so start children from a thread that outlives them.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None, use_errno=True).prctl, os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:  # it died meanwhile
            os._exit(1)

    return ask
