"""What restic could not back up, sorted by what a person can do about it."""

import json
import os

# restic before 0.17 gives the number of the system's error, newer ones its words.
_NOT_THERE = ("no such file or directory", '"Err":2,', '"Err":2}', "cannot find the file", "cannot find the path")
_UNKNOWN = "\ufffd"


def sort(lines: list[str]) -> tuple[list[str], list[str]]:
    """The items of restic's error messages: those that could not be read, and those that vanished during the run.

    At least one, since restic has said that there are some.
    """
    unreadable: dict[str, None] = {}
    vanished: dict[str, None] = {}
    for line in lines:
        if (item := _item(line)) is not None:
            (vanished if _gone(item, line) else unreadable)[item] = None
    if not unreadable and not vanished:
        return ["something that restic did not name"], []
    return list(unreadable), [item for item in vanished if item not in unreadable]


def _item(line: str) -> str | None:
    if not line.startswith("{"):
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    if not isinstance(message, dict) or message.get("message_type") != "error":
        return None
    return str(message.get("item") or "something")


def _gone(item: str, line: str) -> bool:
    """restic says that it was not there, and it really is not; a name with bytes that are no text cannot be asked."""
    if not any(sign in line for sign in _NOT_THERE):
        return False
    if _UNKNOWN in item:
        return True
    try:
        os.lstat(item)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
