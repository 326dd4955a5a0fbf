"""The line of the Quick Start page, as somebody pastes it into a shell of a machine with nothing on it."""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.machine import ALONE, LIMIT


@dataclass(frozen=True)
class Bare:
    """A machine with a home, files and no agent. What the line puts into the system's folders goes below `folder`."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self.files.mkdir(parents=True)
        (self.folder / "home").mkdir()

    @property
    def files(self) -> Path:
        """What is protected."""
        return self.folder / "files"

    @property
    def state(self) -> Path:
        """Where the agent's state is by default."""
        return self.folder / "home" / ".config" / "strongroom-agent"

    def fitted(self, line: str) -> str:
        """The line with this machine's folders and name: what a person changes at its end."""
        for of_the_system, ours in (
            ("/opt/strongroom-agent", "program"),
            ("/var/cache/strongroom-agent", "cache"),
            ("/root/strongroom-passphrase", "passphrase"),
            ("--protect /home", "files"),
        ):
            assert line.count(of_the_system) == 1, line
            kept = "--protect " if of_the_system.startswith("--") else ""
            line = line.replace(of_the_system, kept + shlex.quote(str(self.folder / ours)))
        return f"{line} --name {self.name}"

    def paste(
        self, line: str, *more: str, shell: str = "sh", typed: str = "", path: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run it as that shell runs what is pasted, with what is typed afterwards."""
        return subprocess.run(
            [shell, "-c", " ".join([self.fitted(line), *more])],
            env={
                "PATH": path or os.environ["PATH"],
                "HOME": str(self.folder / "home"),
                "TMPDIR": str(self.folder),
                **ALONE,
            },
            input=typed,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    @property
    def left(self) -> list[str]:
        """What is in the folder that temporary files go to."""
        return sorted(path.name for path in self.folder.iterdir())
