"""The PATH that Windows keeps: all users' for an administrator, else this user's own.

The installer and its uninstaller start this module as a program, `on-path.exe add|remove FOLDER`, since what makes
them cannot hold a PATH of more than a thousand characters, and would cut it.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

from strongroom_agent.core import acl

Change = Callable[[list[str]], list[str]]
_ALL_USERS = r"SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
_OWN = "Environment"
_BROADCAST, _SETTING_CHANGE, _ABORT_IF_HUNG, _PATIENCE = 0xFFFF, 0x1A, 0x2, 2000  # the last in milliseconds


def add(folder: Path) -> bool:
    """Put the folder behind all others, unless it is there; whether it was put there now. OSError when it cannot."""
    return _change(lambda parts: parts if _has(parts, folder) else [*parts, str(folder)])


def remove(folder: Path) -> bool:
    """Take the folder out; whether it was there. What else stands there stays as it is. OSError when it cannot."""
    return _change(lambda parts: [part for part in parts if not _same(part, folder)])


def main(arguments: list[str] | None = None) -> int:
    """0 when it is done, also where nothing had to be; 1 with the reason; 2 for other words."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 2 or given[0] not in ("add", "remove") or not os.path.isabs(given[1]):
        sys.stderr.write("on-path add|remove FOLDER: the folder as a full path.\n")
        return 2
    try:
        (add if given[0] == "add" else remove)(Path(given[1]))
    except OSError as error:
        sys.stderr.write(f"PATH could not be changed: {error}\n")
        return 1
    return 0


def _change(change: Change) -> bool:
    """Write what `change` makes of the parts, if that is something else, in the kind of value that there is."""
    if sys.platform != "win32":
        raise OSError("only Windows keeps a PATH")
    import winreg

    everybody = acl.elevated()
    root = winreg.HKEY_LOCAL_MACHINE if everybody else winreg.HKEY_CURRENT_USER
    with winreg.CreateKeyEx(root, _ALL_USERS if everybody else _OWN, 0, winreg.KEY_READ | winreg.KEY_WRITE) as key:
        try:
            value, kind = winreg.QueryValueEx(key, "Path")
        except FileNotFoundError:
            value, kind = "", winreg.REG_EXPAND_SZ
        before = str(value).split(os.pathsep) if value else []
        after = change(before)
        if after == before:
            return False
        winreg.SetValueEx(key, "Path", 0, kind, os.pathsep.join(after))
    told = ctypes.c_ulong()
    ctypes.windll.user32.SendMessageTimeoutW(
        _BROADCAST, _SETTING_CHANGE, 0, "Environment", _ABORT_IF_HUNG, _PATIENCE, ctypes.byref(told)
    )
    return True


def _has(parts: list[str], folder: Path) -> bool:
    return any(_same(part, folder) for part in parts)


def _same(part: str, folder: Path) -> bool:
    """Whether a part of PATH names the folder; it may have variables, and a backslash at its end."""
    return bool(part) and os.path.normcase(os.path.normpath(os.path.expandvars(part))) == os.path.normcase(str(folder))


if __name__ == "__main__":
    sys.exit(main())
