"""What a scheduler of the system has to do for us, and how its programs are asked."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from strongroom_agent.core import surroundings
from strongroom_agent.core.errors import AgentError, why

from .calendar import Calendar

ARGUMENTS = ("backup", "--scheduled")
"""What is started, behind the program: it decides itself what is due, so that nothing is missed or made twice."""
JITTER_MINUTES = 10
_PATIENCE = 30  # seconds


@dataclass(frozen=True)
class Entry:
    """What is to be kept: under which name, when, and what is started with which few variables."""

    name: str
    calendar: Calendar
    program: str
    home: Path
    path: str
    engine: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """All that the program goes by, so that it finds the same state and the same restic as when it was set up."""
        chosen = {"RESTIC": self.engine} if self.engine else {}
        return {"STRONGROOM_AGENT_HOME": str(self.home), "PATH": self.path, **chosen}


class Scheduler(Protocol):
    """One kind of scheduler. All start the program every hour, at the minute of the calendar."""

    kind: str
    jitter: bool
    """Whether it starts the program some minutes later, at random; else the program waits itself."""

    def lacking(self) -> str:
        """Why it cannot be used here, in a sentence; empty when it can."""

    def install(self, entry: Entry) -> str:
        """Keep the entry, in the place of one of the same name. What a person should know of it, or nothing.

        AgentError `schedule_failed` when it cannot, and then nothing is left of it.
        """

    def remove(self, name: str) -> None:
        """Take out exactly what `install` has put in; harmless when it is gone. AgentError when it stays."""

    def trouble(self, name: str) -> str:
        """Why the entry would not start anything, in a sentence; empty when all is well."""


def is_root() -> bool:
    """Whether this is the superuser; never so on Windows, where it means nothing."""
    return sys.platform != "win32" and os.geteuid() == 0


def ask(
    program: str, *arguments: str, given: bytes = b"", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run one of the system's programs. AgentError `schedule_failed` when it is not there or does not end."""
    found = surroundings.find_program(program)
    if not found:
        raise failed(f"{program} is not there")
    kept = {name: value for name, value in os.environ.items() if sys.platform == "win32"}
    chosen = {"PATH": surroundings.search_path(), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **(environment or {})}
    try:
        return subprocess.run(
            [found, *arguments],
            input=given,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
            env={**kept, **chosen},
        )
    except subprocess.TimeoutExpired as error:
        raise failed(f"{program} does not answer") from error
    except OSError as error:
        raise failed(f"{program} cannot be run: {why(error)}") from error


def must(program: str, *arguments: str, given: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
    """The same for one that has to go well; what it prints."""
    done = ask(program, *arguments, given=given, environment=environment)
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        raise failed(f"{program} {arguments[0]} ended with {done.returncode}{': ' + said[-1] if said else ''}")
    return done.stdout


def failed(trouble: str) -> AgentError:
    """The error for a schedule that could not be installed or removed."""
    return AgentError(
        "schedule_failed",
        f"The system's scheduler did not take it: {trouble.rstrip('.')}.",
        "Put that right and run strongroom-agent schedule again; backups can be made by hand meanwhile.",
    )
