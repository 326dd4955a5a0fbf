"""Figures about processes, from /proc: CPU time and memory of whole trees."""

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

TICK: int = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the name, which may itself hold blanks; None when it has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def tree(root: int) -> list[int]:
    """The process and all its descendants, as they are now."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))):
            children[int(fields[1])].append(int(entry))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children[pid])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time that the processes, and children that they have reaped, have used so far.

    The kernel rounds to ticks (usually 10 ms) for each process: measure over some tenths of a second.
    """
    return sum(sum(map(int, fields[11:15])) for pid in pids if (fields := _stat(pid))) / TICK


def memory_bytes(pids: Iterable[int]) -> int:
    """The proportional set size: shared pages are divided among those who share them."""
    return sum(_pss(pid) for pid in pids)


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def name(pid: int) -> str:
    """The start of the command line, for breakdowns; empty when the process has gone."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return " ".join(word.decode(errors="replace") for word in words[:4])
