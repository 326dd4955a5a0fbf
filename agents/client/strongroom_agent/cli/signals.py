"""How a run is ended from outside: by a person, the system, or a terminal that goes away."""

import signal
import sys


class Stopped(KeyboardInterrupt):
    """A signal asked us to end. Raised wherever the run is, so that children are ended and the run is noted."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def __str__(self) -> str:
        return signal.Signals(self.number).name


def listen() -> None:
    """Treat hang-up and a polite end like Ctrl-C. What was ignored at the start, as by nohup, stays ignored."""
    for number in _polite():
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


def _polite() -> list[signal.Signals]:
    if sys.platform == "win32":
        return [signal.SIGINT, signal.SIGTERM, signal.SIGBREAK]
    return [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def _stop(number: int, _frame: object) -> None:
    """Once: what follows would interrupt the ending of children, which has a limit of its own."""
    for each in _polite():
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(number)
