"""What the program prints: one JSON object or one message on stdout, progress on stderr."""

import io
import json
import os
import sys
from dataclasses import dataclass, field
from typing import TextIO

from .errors import AgentError


@dataclass(frozen=True)
class Done:
    """The outcome of a command that did what it was asked. `details` are further JSON fields."""

    message: str
    code: str = "done"
    remedy: str = ""
    details: dict[str, object] = field(default_factory=dict)


def prepare() -> None:
    """Make the standard streams usable, whatever the terminal's encoding is and even where they are closed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            # Or the next file that is opened would get this number, and be printed to.
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, "r+" if number == 0 else "w", encoding="utf-8"))  # noqa: SIM115
        elif number and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def progress(text: str) -> None:
    """Tell a person how it goes, on standard error; standard output stays for the answer."""
    _print(printable(text), sys.stderr)


def show_done(outcome: Done, *, as_json: bool) -> None:
    """Print the answer of a command that succeeded."""
    if as_json:
        _print_object(True, outcome.code, outcome.message, outcome.remedy, outcome.details)
    else:
        _print(printable(outcome.message), sys.stdout)


def show_error(error: AgentError, *, as_json: bool) -> None:
    """Print the answer of a command that failed: JSON on stdout, plain text on stderr."""
    if as_json:
        _print_object(False, error.code, error.message, error.remedy, error.details)
    else:
        progress(f"strongroom-agent: {error.message}")


def finish() -> None:
    """Empty the buffers, so that the end of the program cannot fail on a reader that has gone."""
    for stream in (sys.stdout, sys.stderr):
        _print("", stream, end="")


def _print_object(ok: bool, code: str, message: str, remedy: str, details: dict[str, object]) -> None:
    answer = {**details, "ok": ok, "code": code, "message": message, "remedy": remedy}
    ordered = {key: answer.pop(key) for key in ("ok", "code", "message", "remedy")} | answer
    _print(json.dumps(ordered), sys.stdout)


def _print(text: str, stream: TextIO, end: str = "\n") -> None:
    """Print; a reader that has gone, or a full disk behind it, changes nothing about the run and its exit status."""
    try:
        print(text, file=stream, end=end, flush=True)
    except (OSError, ValueError):
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except (OSError, ValueError):
            return


def printable(text: str, keep: str = "\n") -> str:
    """The text with everything spelled out that is neither printable nor in `keep`.

    File names may hold bytes that are no text, and controls that a terminal would obey.
    """
    visible = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in visible)
