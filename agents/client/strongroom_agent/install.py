"""The installation folder: the program, where it is to stay."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from .errors import AgentError, why


def install(folder: Path) -> Path:
    """Put the program into the folder and return its path there.

    The single-file agent is copied; an agent that was installed as a Python package gets a small
    launcher. AgentError if the folder cannot be written to.
    """
    windows = sys.platform == "win32"
    single_file = os.environ.get("PEX")
    name = "strongroom-agent.cmd" if windows and not single_file else "strongroom-agent"
    target = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{name}.new"
        if single_file:
            shutil.copyfile(single_file, temporary)
        else:
            temporary.write_text(_launcher(windows), encoding="utf-8")
        temporary.chmod(0o755)
        temporary.replace(target)
    except OSError as error:
        raise AgentError(
            "install_failed",
            f"The installation folder {folder} cannot be written to: {why(error)}.",
            "Choose another folder with --install-dir.",
        ) from error
    return target


def _launcher(windows: bool) -> str:
    """With -P, or Python would look for our modules in whatever folder the person stands in."""
    if windows:
        return f'@"{sys.executable}" -P -m strongroom_agent %*\r\n'
    return f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m strongroom_agent "$@"\n'
