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

# Without these, programs on Windows find neither their libraries nor a random number.
_WINDOWS = ("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS")
_PR_SET_PDEATHSIG = 1


def environment(temporary: str, proxy: str | None = None) -> dict[str, str]:
    """The whole environment of restic: temporary files in `temporary`, and only the configured proxy.

    restic can be told about a proxy in no other way.
    """
    kept = {name: os.environ[name] for name in (_WINDOWS if sys.platform == "win32" else ()) if name in os.environ}
    kept |= {"PATH": os.environ.get("PATH", os.defpath), "HOME": temporary, "TZ": "UTC"}
    kept |= {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "RESTIC_PROGRESS_FPS": "1"}
    kept |= dict.fromkeys(("TMPDIR", "TMP", "TEMP"), temporary)
    if proxy:
        kept |= {"HTTPS_PROXY": proxy, "NO_PROXY": ""}
    return kept


def temporary_folder(cache_dir: Path) -> str:
    """The folder for temporary files inside the cache folder, whose room is checked; made if it is not there."""
    folder = cache_dir / "tmp"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return str(folder)


def clear_temporary(cache_dir: Path) -> None:
    """Remove what a run that was killed has left in the temporary folder. Only while no other run is on."""
    folder = cache_dir / "tmp"
    for left in folder.iterdir() if folder.is_dir() else ():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


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
