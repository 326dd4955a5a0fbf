"""What restic complained about during a restore, item by item, read strictly.

Only trouble with the owner, mode, times or extended attributes of an item is a remark. Whatever else is said about an
item, known or unknown, means that the item is not proven; what cannot be read for certain means that nothing is.
"""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field

_IGNORED = "ignoring error for "  # how versions before 0.17 begin such a line
_COUNT = re.compile(r"There were (\d+) errors")
# The beginning of the message, never a part of it: names of files stand in it and may say anything.
_ATTRIBUTES = re.compile(
    r"(?:(?:lchown|fchown|chown|lchmod|fchmod|chmod|chtimes|lutimes|utimes|utimensat|utimesnano|[lf]?setxattr"
    r"|[lf]?removexattr|xattr\.\w+|security\.\w+|system\.posix_acl\w*)\b[: ])",
    re.IGNORECASE,
)
_GONE = re.compile(r"(?:no such file or directory|not a directory|file name too long|read-only file system)$")


@dataclass
class Complaints:
    """Collects the lines of one restore. `known` are the paths of the snapshot, `target` is where they are restored."""

    known: Collection[str]
    target: str
    failed: dict[str, str] = field(default_factory=dict)  # item: the first thing that was said about it
    attributes: dict[str, str] = field(default_factory=dict)
    unclear: str = ""  # something that cannot be read for certain
    counted: int | None = None  # how many errors restic says there were
    items: int = 0

    def take(self, line: str) -> None:
        """One line of restic's standard error."""
        if line.startswith("{"):
            self._take_json(line)
        elif line.startswith(_IGNORED):
            self._ambiguous(line.removeprefix(_IGNORED))
        else:
            self._end(line)

    def certain(self, status: int) -> bool:
        """Whether restic went to its end, and each of its errors was understood."""
        if self.unclear:
            return False
        return self.items == (self.counted or 0) and (status == 0) == (self.items == 0)

    def _take_json(self, line: str) -> None:
        try:
            value = json.loads(line)
            kind = value["message_type"]
            if kind == "error":
                self._item(self._named(str(value["item"])), str(value["error"]["message"]))
            elif kind == "exit_error":
                self._end(str(value["message"]))
        except (ValueError, TypeError, KeyError):
            self.unclear = self.unclear or line

    def _end(self, line: str) -> None:
        if found := _COUNT.search(line):
            self.counted = int(found[1])

    def _item(self, item: str, said: str) -> None:
        self.items += 1
        if item not in self.known:
            self.unclear = self.unclear or f"{item}: {said}"
        elif _ATTRIBUTES.match(said) and not _GONE.search(said):
            self.attributes.setdefault(item, said)
        else:
            self.failed.setdefault(item, said)

    def _ambiguous(self, text: str) -> None:
        """Item and message of a line in which both may hold colons. Where it can be read in several ways, it is held
        against every item that it may be about."""
        ends = [found.start() for found in re.finditer(": ", text)]
        named = [(self._named(text[:end]), text[end + 2 :]) for end in ends]
        possible = [(item, said) for item, said in named if item in self.known]
        if len(possible) == 1:
            self._item(*possible[0])
            return
        self.items += 1
        if not possible:
            self.unclear = self.unclear or text
        for item, said in possible:
            self.failed.setdefault(item, said)

    def _named(self, item: str) -> str:
        """The item's path in the snapshot: when verifying, restic names what it restored."""
        below = self.target.rstrip("/")
        if item not in self.known and item.startswith(below + "/"):
            return item[len(below) :]
        return item
