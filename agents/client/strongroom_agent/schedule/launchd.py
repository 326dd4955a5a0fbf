"""launchd of macOS, by a property list. Its text is tested; it has not run on macOS."""

import contextlib
import os
import plistlib
from pathlib import Path

from .scheduler import ARGUMENTS, Entry, ask, is_root, must


class Launchd:
    """A daemon for root, else an agent of the user, which runs while the user is signed in."""

    kind = "launchd"
    jitter = False

    def lacking(self) -> str:
        """It is always there."""
        return ""

    def install(self, entry: Entry) -> str:
        """Write the list and load it, in the place of the one before."""
        file = _file(entry.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        ask("launchctl", "bootout", f"{_domain()}/{entry.name}")
        file.write_bytes(property_list(entry))
        file.chmod(0o644)
        try:
            must("launchctl", "bootstrap", _domain(), str(file))
        except BaseException:
            with contextlib.suppress(OSError):
                file.unlink()
            raise
        return (
            "" if is_root() else "Backups are made only while this user is signed in; run setup with sudo for always."
        )

    def remove(self, name: str) -> None:
        """Unload it and delete the list."""
        ask("launchctl", "bootout", f"{_domain()}/{name}")
        _file(name).unlink(missing_ok=True)

    def trouble(self, name: str) -> str:
        """A list that is not loaded."""
        loaded = ask("launchctl", "print", f"{_domain()}/{name}").returncode == 0
        return "" if loaded else f"launchd does not know {name}."


def property_list(entry: Entry) -> bytes:
    """Each hour at the minute; one that was missed while the machine slept starts when it wakes."""
    return plistlib.dumps(
        {
            "Label": entry.name,
            "ProgramArguments": [entry.program, *ARGUMENTS],
            "EnvironmentVariables": entry.environment,
            "StartCalendarInterval": {"Minute": entry.calendar.minute},
            "ProcessType": "Background",
            "LowPriorityIO": True,
            "Nice": 10,
            "Umask": 0o077,
        }
    )


def _domain() -> str:
    return "system" if is_root() else f"gui/{os.geteuid()}"


def _file(name: str) -> Path:
    base = Path("/Library/LaunchDaemons") if is_root() else Path.home() / "Library/LaunchAgents"
    return base / f"{name}.plist"
