"""Folders that setup is to make: whether that will go well, asked before anything is made."""

import tempfile
from pathlib import Path

from strongroom_agent.core import ownership
from strongroom_agent.core.errors import AgentError, why
from strongroom_agent.core.paths import nearest


def try_writing(folder: Path) -> None:
    """OSError unless this user can write to the folder, or to the one that it would be made in. Leaves nothing."""
    with tempfile.TemporaryFile(dir=nearest(folder)) as probe:
        probe.write(b"strongroom")


def check_installation(folder: Path) -> None:
    """AgentError `install_failed` unless the program can be put there, and nobody else can exchange it afterwards."""
    try:
        trouble = ownership.problem(nearest(folder), groups=True)
        try_writing(folder)
    except OSError as error:
        raise AgentError(
            "install_failed",
            f"The installation folder {folder} cannot be written to: {why(error)}.",
            "Choose another folder with --install-dir.",
        ) from error
    if trouble:
        raise AgentError(
            "install_failed",
            f"The installation folder {folder} cannot be trusted: {trouble}. Others could exchange the program.",
            "Choose a folder that only administrators can write to with --install-dir.",
        )
