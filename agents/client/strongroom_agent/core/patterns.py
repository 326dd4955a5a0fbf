"""restic's patterns for what is left out, read as restic reads them: what they leave out counts nowhere as lost.

A pattern is made of names with `*`, `?` and `[a-z]` in them; `**` stands for any number of folders. One that begins
with a slash is of the whole path, another matches wherever it fits; what is below a match is left out with it. After
`!` it brings back what an earlier one has left out.
"""

import posixpath
import re
import sys
from collections.abc import Iterable, Iterator

from .errors import usage

_REST = r"(?:/.*)?"


class Patterns:
    """Several patterns, in their order."""

    def __init__(self, given: Iterable[str]) -> None:
        """AgentError `usage` for one that restic would not take."""
        self.given = tuple(given)
        self._known = [_compiled(each) for each in self.given]

    def match(self, path: str) -> bool:
        """Whether a real path, whose folders are not left out, is: the last pattern that fits says so."""
        if not self._known:
            return False
        plain = path.replace("\\", "/") if sys.platform == "win32" else path
        out = False
        for brings_back, expression in self._known:
            if brings_back == out and expression.fullmatch(plain):
                out = not brings_back
        return out


class Skip:
    """What is not looked at: some paths, and whatever patterns leave out. `path in skip` asks, `for path in skip` names
    the paths alone."""

    def __init__(self, paths: Iterable[str], patterns: Patterns | None = None) -> None:
        self._paths = frozenset(paths)
        self._patterns = patterns or Patterns(())

    def __contains__(self, path: object) -> bool:
        return path in self._paths or (isinstance(path, str) and self._patterns.match(path))

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)


def _compiled(given: str) -> tuple[bool, re.Pattern[str]]:
    brings_back = given.startswith("!")
    text = given.removeprefix("!")
    if "\0" in text or "\n" in text or posixpath.normpath(text) in ("", ".", "/", "//") or not text.strip():
        raise usage(f"--exclude {given!r} is no pattern.", "Give one such as '*.tmp', '.cache' or /home/*/Downloads.")
    whole = text.startswith("/")
    names = posixpath.normpath(text).strip("/").split("/")
    while len(names) > 1 and names[-1] == "**":
        names.pop()  # any number of folders may be none, and what is below a match is left out anyway
    body = "".join(_folders(each, last=number == len(names) - 1, given=given) for number, each in enumerate(names))
    return brings_back, re.compile(f"{'/' if whole else '(?:.*/)?'}{body}{_REST}", re.DOTALL)


def _folders(name: str, *, last: bool, given: str) -> str:
    if name == "**":
        return "[^/]+" if last else "(?:[^/]+/)*"
    return _name(name, given) + ("" if last else "/")


def _name(name: str, given: str) -> str:
    """One name as Go's filepath.Match has it."""
    found, at = [], 0
    while at < len(name):
        sign = name[at]
        at += 1
        if sign == "*":
            found.append("[^/]*")
        elif sign == "?":
            found.append("[^/]")
        elif sign == "[":
            inside, at = _class(name, at, given)
            found.append(inside)
        elif sign == "\\" and sys.platform != "win32":
            if at == len(name):
                raise _unfinished(given)
            found.append(re.escape(name[at]))
            at += 1
        else:
            found.append(re.escape(sign))
    return "".join(found)


def _class(name: str, at: int, given: str) -> tuple[str, int]:
    """A class of characters, which begins behind its bracket; and where it ends."""
    negated = name.startswith("^", at)
    at += negated
    ranges: list[str] = []
    while True:
        if at < len(name) and name[at] == "]" and ranges:
            return f"[{'^/' if negated else ''}{''.join(ranges)}]", at + 1
        low, at = _member(name, at, given)
        high = low
        if name.startswith("-", at):
            high, at = _member(name, at + 1, given)
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            raise _unfinished(given)


def _member(name: str, at: int, given: str) -> tuple[str, int]:
    if at < len(name) and name[at] == "\\" and sys.platform != "win32":
        at += 1
    elif at < len(name) and name[at] in "-]":
        raise _unfinished(given)
    if at >= len(name) - 1:  # something has to close it
        raise _unfinished(given)
    return name[at], at + 1


def _unfinished(given: str) -> Exception:
    return usage(f"--exclude {given!r} is no pattern.", "A bracket is not closed in it, or a range has no end.")
