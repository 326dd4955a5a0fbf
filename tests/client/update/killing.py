"""Kills the agent at the n-th change that it makes to the names of files: before it, or just after it.

It lies in the site-packages of a test's agent and is loaded by a .pth file there. `$HOME/kill-at` says where, as
`12 after`. What was counted is written to `$HOME/counted` when there is nothing to kill.
"""

import os
import signal
from pathlib import Path
from typing import Any

NAMES = ("replace", "rename", "link", "symlink", "unlink", "mkdir", "rmdir")
_home = Path(os.environ.get("HOME", "/"))
_at = (_home / "kill-at").read_text().split() if (_home / "kill-at").exists() else None
_count = 0


def _counting(name: str, real: Any) -> Any:
    def call(*arguments: Any, **options: Any) -> Any:
        global _count
        _count += 1
        if _at == [str(_count), "before"]:
            os.killpg(0, signal.SIGKILL)
        if _at is None:
            with open(_home / "counted", "a", encoding="utf-8") as file:
                file.write(f"{name} {arguments[0]}\n")
        try:
            return real(*arguments, **options)
        finally:
            if _at == [str(_count), "after"]:
                os.killpg(0, signal.SIGKILL)

    return call


for each in NAMES:
    setattr(os, each, _counting(each, getattr(os, each)))
