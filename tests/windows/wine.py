"""A Windows of wine's, in a folder of its own, without a screen."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from tests.windows.restic import HERE

LIMIT = 300  # seconds for one program
PROGRAMS = PureWindowsPath(r"C:\Program Files\strongroom-agent")
_PATH_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"


@dataclass(frozen=True)
class Wine:
    """The folder in which wine keeps it."""

    prefix: Path

    @property
    def drive(self) -> Path:
        """The drive C."""
        return self.prefix / "drive_c"

    def prepare(self, version: str = "win10") -> None:
        """Make it, as that version of Windows, with the one library that wine lacks; `end` has to follow.

        Its server stays, or each program would start a Windows.
        """
        self._quietly("wineserver", "-p")
        self._quietly("wine", "wineboot", "-i")  # the services that it starts keep its streams
        # The first program that asks for a desktop starts one, which would keep that program's pipes open as well.
        self._quietly("sh", "-c", "wine explorer /desktop &")
        self.must("winecfg", "-v", version)
        library = self.drive / "windows/system32/bcryptprimitives.dll"
        compiler = ["x86_64-w64-mingw32-gcc", "-O2", "-shared", str(HERE / "bcryptprimitives.c"), "-o", str(library)]
        subprocess.run([*compiler, "-ladvapi32"], check=True)

    def run(self, *command: str | Path | PureWindowsPath) -> "subprocess.CompletedProcess[bytes]":
        """Run it to its end. Its streams are pipes: wine has no console here, and programs cannot do with files."""
        return subprocess.run(
            ["wine", *map(str, command)],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )

    def must(self, *command: str | Path | PureWindowsPath) -> str:
        """The same for what has to go well; what it prints."""
        done = self.run(*command)
        assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stdout!r} {done.stderr!r}"
        return done.stdout.decode()

    def agent(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """Run the installed agent with --json, expect `status`, and return its one object."""
        done = self.run(PROGRAMS / "strongroom-agent.exe", *arguments, "--json")
        assert done.returncode == status, f"{arguments}: {done.returncode}: {done.stdout!r}\n{done.stderr.decode()}"
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def there(self, path: Path) -> str:
        """How it names a path of this machine; msiexec takes a slash at the beginning for one of its options."""
        return f"Z:{path.absolute()}".replace("/", "\\")

    def here(self, path: PureWindowsPath | str) -> Path:
        """Where a path of the drive C lies."""
        return self.drive / str(path).removeprefix("C:\\").replace("\\", "/")

    def search_path(self) -> list[str]:
        """The parts of the PATH of all users."""
        told = self.must("reg", "query", _PATH_KEY, "/v", "Path")
        return told.split("REG_EXPAND_SZ", 1)[1].strip().split(";")

    def installed(self) -> bool:
        """Whether the agent stands in the list of installed programs, as the .exe or as the .msi writes it."""
        told = self.must("reg", "query", r"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall", "/s")
        return "Strongroom agent" in told

    def end(self) -> None:
        """End all that still runs in it."""
        self._quietly("wineserver", "-k")

    def _quietly(self, *command: str) -> None:
        quiet = subprocess.DEVNULL
        subprocess.run(
            command, env=self._environment(), stdin=quiet, stdout=quiet, stderr=quiet, timeout=LIMIT, check=True
        )

    def _environment(self) -> dict[str, str]:
        """Nothing of the calling shell's but where programs lie."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        ours = {"WINEPREFIX": str(self.prefix), "WINEARCH": "win64", "WINEDEBUG": "-all", "LANG": "C.UTF-8"}
        return {**kept, **ours}
