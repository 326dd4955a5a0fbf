"""Waiting for signals without missing one and without polling."""

import select
import signal
import socket
from collections.abc import Iterable
from types import FrameType


class Signals:
    """Collects `wanted` from now on. One instance in a process, made in its main thread."""

    def __init__(self, wanted: Iterable[signal.Signals]) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for signum in wanted:
            signal.signal(signum, _noted)

    def wait(self, seconds: float) -> set[int]:
        """The signals that have come since the last call; waits up to `seconds` for the first one."""
        if not select.select([self._reader], [], [], seconds)[0]:
            return set()
        return set(self._reader.recv(4096))


def _noted(signum: int, frame: FrameType | None) -> None:
    """The number has been written to the socket by the interpreter; there is nothing else to do."""
