"""The commands that people have run before and after each backup, such as one that dumps a database."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from strongroom_agent.core import surroundings
from strongroom_agent.core.errors import AgentError, why
from strongroom_agent.core.output import progress
from strongroom_agent.state.backup_options import BackupOptions
from strongroom_agent.state.session import Session

if TYPE_CHECKING:
    from .backup_result import BackupResult

_PATIENCE = 10  # seconds between being asked to end and having to


def around(session: Session, work: Callable[[], "BackupResult"]) -> "BackupResult":
    """Do the work between the two commands.

    AgentError `before_failed`, and no work, when the first one fails. The second one runs in any case, and is told how
    it went; when it alone fails, the result says so.
    """
    options = session.settings.options
    outcome = "failed"
    trouble = ""
    try:
        if options.before and (problem := _run("before", options.before, options, {})):
            raise AgentError(
                "before_failed",
                f"The command before the backup {problem}; nothing was backed up.",
                "Its output says why (run it by hand); strongroom-agent schedule --before sets another.",
            )
        result = work()
        outcome = "succeeded" if result.failure is None else "failed"
    finally:
        if options.after:
            trouble = _run("after", options.after, options, {"STRONGROOM_OUTCOME": outcome})
            if trouble:
                progress(f"note: the command after the backup {trouble}.")
    return replace(result, after_failed=f"The command after the backup {trouble}.") if trouble else result


def _run(which: str, command: str, options: BackupOptions, more: dict[str, str]) -> str:
    """Run one of them; how it failed, for the middle of a sentence, or nothing. Its output is for people here alone:
    the portal is not told what may hold secrets."""
    progress(f"running the command {which} the backup")
    shell = ["cmd", "/d", "/c", command] if sys.platform == "win32" else ["/bin/sh", "-c", command]
    try:
        process = subprocess.Popen(
            shell,
            stdin=subprocess.DEVNULL,
            stdout=2,  # standard output is for the one answer
            stderr=2,
            env={**_environment(), **more},
            cwd=str(Path.home()) if Path.home().is_dir() else os.sep,
            start_new_session=True,
        )
    except OSError as error:
        return f"cannot be run: {why(error)}"
    try:
        status = process.wait(options.command_minutes * 60)
    except subprocess.TimeoutExpired:
        return f"did not end within {options.command_minutes} minutes, and was stopped"
    finally:
        _end(process)
    return f"ended with status {status}" if status else ""


def _environment() -> dict[str, str]:
    """The same for a person and a timer: PATH, the user's home, the machine's time; no proxy, nothing of restic's."""
    kept = surroundings.environment(os.environ.get("TEMP", "") if sys.platform == "win32" else "/tmp")  # noqa: S108
    return {**{name: value for name, value in kept.items() if name != "TZ"}, "HOME": str(Path.home())}


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End what is left of it, its children too."""
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, number)
        try:
            process.wait(_PATIENCE)
            return
        except subprocess.TimeoutExpired:
            continue
