"""A real terminal around a program, as a person sees it: what is on the screen, and keys."""

import signal
import time
from collections.abc import Mapping

import pexpect
import pyte

ROWS = 400  # so that nothing scrolls away
LIMIT = 30


def _hears_ctrl_c() -> None:
    """As in a terminal; a suite that runs in the background has it ignored, which the agent heeds."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A program in a pseudo-terminal of `columns`; `term` is what it is told the terminal is."""

    def __init__(self, command: list[str], environment: Mapping[str, str], term: str, columns: int = 80) -> None:
        environment = {**environment, "TERM": term}
        self.process: pexpect.spawn[str] = pexpect.spawn(
            command[0],
            command[1:],
            env=environment,
            dimensions=(ROWS, columns),
            encoding="utf-8",
            timeout=LIMIT,
            preexec_fn=_hears_ctrl_c,
        )
        self._screen = pyte.Screen(columns, ROWS)
        self._stream = pyte.Stream(self._screen)
        self._answered = -1  # the row of the last answer
        self.raw = ""

    @property
    def lines(self) -> list[str]:
        """The screen, without what is empty at its end."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip().split("\n")

    @property
    def text(self) -> str:
        """The same as one text, in which words stand as they were said however the lines were broken."""
        return " ".join(" ".join(self.lines).split())

    def asked(self, label: str) -> None:
        """Wait until the program asks this, after what was answered last."""
        self._wait(lambda: self._is_asked(label), label)

    def answer(self, label: str, text: str = "") -> None:
        """Wait until the program asks this, and type an answer with Enter."""
        self.asked(label)
        self._answered = self._screen.cursor.y
        self.process.send(text + "\r")

    def shows(self, text: str, limit: float = LIMIT) -> None:
        """Wait until this is on the screen, wherever the terminal has broken it into lines."""
        self._wait(lambda: "".join(text.split()) in "".join(self.text.split()), text, limit)

    def ends(self, limit: float = LIMIT) -> int:
        """Wait until the program has ended; its exit status."""
        deadline = time.monotonic() + limit
        while self._read() and time.monotonic() < deadline:
            pass
        self.process.close()
        assert self.process.exitstatus is not None, self.text
        return int(self.process.exitstatus)

    def ends_killed(self) -> None:
        """Wait until it has gone after a kill -9."""
        while self._read():
            pass
        self.process.close()
        assert self.process.signalstatus == signal.SIGKILL

    def _is_asked(self, label: str) -> bool:
        here = self._screen.cursor.y
        said = " ".join(" ".join(self.lines[self._answered + 1 : here]).split())
        return here > self._answered and self._screen.display[here].startswith("> ") and label in said

    def _wait(self, condition: object, what: str, limit: float = LIMIT) -> None:
        assert callable(condition)
        deadline = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < deadline, f"{what!r} was not shown:\n" + "\n".join(self.lines)
            assert self._read() or condition(), f"It ended without {what!r}:\n" + "\n".join(self.lines)

    def _read(self) -> bool:
        try:
            read = self.process.read_nonblocking(4096, timeout=0.2)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += read
        self._stream.feed(read)
        return True
