"""Runs a program so that it ends with its parent: `python -S -m deploy.runner.guard [--fresh SOCKET] SIGNAL PROGRAM …`.

SIGNAL is what the program gets when its parent dies, however that happens. SOCKET is removed first: a unix socket that
a killed predecessor left behind would make the program refuse to listen.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


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
    if words[0] == "--fresh":
        Path(words[1]).unlink(missing_ok=True)
        words = words[2:]
    end_with_parent(signal.Signals[f"SIG{words[0]}"], parent)
    os.execvp(words[1], words[1:])  # noqa: S606 - becoming a program that we chose is the point


if __name__ == "__main__":
    main(sys.argv[1:])
