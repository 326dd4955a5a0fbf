"""The installation folder: the program, where it is to stay."""

import os
import shlex
import shutil
import site
import sys
from pathlib import Path

from strongroom_agent.core.errors import AgentError, why


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
        _make(folder)
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


def _make(folder: Path) -> None:
    """Make the folder and those above it so that everybody may run what is in it, whatever our umask is."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        each.chmod(0o755)


def _launcher(windows: bool) -> str:
    """Isolated: no module from the folder that the person stands in, no PYTHON… variable of the calling shell."""
    command = f"-X utf8 {_isolation()} -m strongroom_agent"
    if windows:
        return f'@"{sys.executable}" {command} %*\r\n'
    return f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {command} "$@"\n'


def _isolation() -> str:
    """-I leaves out the user's own packages too, which must not be where we are among them."""
    own = site.getusersitepackages() if site.ENABLE_USER_SITE else None
    return "-E -P" if own and Path(__file__).is_relative_to(own) else "-I"
