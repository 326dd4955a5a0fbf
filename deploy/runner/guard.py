"""Runs a program so that it ends with its parent: `python -S -m deploy.runner.guard [OPTION …] SIGNAL PROGRAM …`.

SIGNAL is what the program gets when its parent dies, however that happens. `--without NAME,…` takes variables out of
its environment: not every program needs each secret. `--fresh SOCKET` removes a unix socket that a killed predecessor
left behind, and that would make the program refuse to listen.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
EDGE_SECRET = "STRONGROOM_EDGE_SECRET"  # noqa: S105 - the name of a variable
SITE_SECRETS = ("SECRET_KEY", "STRONGROOM_SEAL_KEY", "STRONGROOM_SEAL_KEY_OLD", "DATABASE_URL", "BROKER_URL")
SECRETS = (EDGE_SECRET, *SITE_SECRETS)
"""Variables that hold secrets, the site's and the one that the edge shares with it."""


def prctl(option: int, value: int) -> None:
    """Set a property of this process; does nothing where the kernel is not Linux. Raises OSError when refused."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def end_with_parent(signum: int, parent: int) -> None:
    """Have the kernel send us `signum` when our parent dies; exit at once when `parent` has died already."""
    prctl(PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:
        sys.exit(1)


def main(arguments: Sequence[str]) -> None:
    """Become the program."""
    parent = os.getppid()
    words = list(arguments)
    if words[0] == "--without":
        for name in words[1].split(","):
            os.environ.pop(name, None)
        words = words[2:]
    if words[0] == "--fresh":
        Path(words[1]).unlink(missing_ok=True)
        words = words[2:]
    end_with_parent(signal.Signals[f"SIG{words[0]}"], parent)
    os.execvp(words[1], words[1:])  # noqa: S606 - becoming a program that we chose is the point


if __name__ == "__main__":
    main(sys.argv[1:])
