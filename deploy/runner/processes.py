"""Processes that outlive their parents: adopted, found and ended. Where there is no /proc it finds none."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

MARK = "STRONGROOM_RUN"  # in the environment of every part: the data folder it belongs to
PROC = Path("/proc")


def children() -> set[int]:
    """Our own children, those adopted included, as process ids; the dead among them are reaped and left out."""
    found = {int(pid) for task in (PROC / "self" / "task").glob("*/children") for pid in task.read_text().split()}
    return {pid for pid in found if not _reaped(pid)}


def marked(folder: Path) -> set[int]:
    """Processes that a start on `folder` left behind."""
    needle = f"{MARK}={folder}".encode()
    found = set()
    for entry in PROC.glob("[0-9]*/environ"):
        pid = int(entry.parent.name)
        try:
            if pid != os.getpid() and needle in entry.read_bytes().split(b"\0"):
                found.add(pid)
        except (PermissionError, FileNotFoundError, ProcessLookupError):
            continue  # somebody else's, or gone in the meantime
    return found


def end(find: Callable[[], set[int]], patience: float = 5.0) -> None:
    """End what `find` finds: politely, after `patience` seconds by force; returns when it finds nothing any more."""
    deadline = time.monotonic() + patience
    send(find(), signal.SIGTERM)
    while rest := find():
        if time.monotonic() > deadline:
            send(rest, signal.SIGKILL)
        time.sleep(0.02)


def send(pids: Iterable[int], signum: int) -> None:
    """Signal each; those already gone do not matter."""
    for pid in pids:
        try:
            os.kill(pid, signum)
        except ProcessLookupError:
            continue


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
