"""What the program prints: one JSON object or one message on stdout, progress on stderr."""

import json
import sys
from dataclasses import dataclass, field

from .errors import AgentError


@dataclass(frozen=True)
class Done:
    """The outcome of a command that did what it was asked. `details` are further JSON fields."""

    message: str
    code: str = "done"
    remedy: str = ""
    details: dict[str, object] = field(default_factory=dict)


def progress(text: str) -> None:
    """Tell a person how it goes, on standard error; standard output stays for the answer."""
    print(printable(text), file=sys.stderr, flush=True)


def show_done(outcome: Done, *, as_json: bool) -> None:
    """Print the answer of a command that succeeded."""
    if as_json:
        _print_object(True, outcome.code, outcome.message, outcome.remedy, outcome.details)
    else:
        print(printable(outcome.message), flush=True)


def show_error(error: AgentError, *, as_json: bool) -> None:
    """Print the answer of a command that failed: JSON on stdout, plain text on stderr."""
    if as_json:
        _print_object(False, error.code, error.message, error.remedy, error.details)
    else:
        progress(f"strongroom-agent: {error.message}")


def _print_object(ok: bool, code: str, message: str, remedy: str, details: dict[str, object]) -> None:
    answer = {**details, "ok": ok, "code": code, "message": message, "remedy": remedy}
    ordered = {key: answer.pop(key) for key in ("ok", "code", "message", "remedy")} | answer
    print(json.dumps(ordered), flush=True)


def printable(text: str, keep: str = "\n") -> str:
    """The text with everything spelled out that is neither printable nor in `keep`.

    File names may hold bytes that are no text, and controls that a terminal would obey.
    """
    visible = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in visible)
