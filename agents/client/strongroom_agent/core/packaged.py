"""What this program was installed as: a folder with an interpreter of its own, which a package may have brought."""

import json
import sys
from pathlib import Path

ABOUT = "about.json"
"""The file in such a folder that makes it one. `installed_by` in it: `apt`, `dnf`, on Windows `installer` or `msi`, ""
where it was unpacked by hand."""
PROGRAM = "strongroom-agent.exe" if sys.platform == "win32" else "strongroom-agent"


def folder() -> Path | None:
    """The folder that holds this program with all that it needs; None for one that runs on the system's Python."""
    above = Path(sys.prefix).resolve().parent
    return above if (above / ABOUT).is_file() and (above / PROGRAM).is_file() else None


def installed_by(place: Path | None = None) -> str:
    """What installs, updates and removes the program in `place`, else this one: `apt`, `dnf`, `installer`, `msi`, or ""
    for nobody but whoever runs it."""
    place = place or folder()
    if place is None or not (place / ABOUT).is_file():
        return ""
    about: dict[str, str] = json.loads((place / ABOUT).read_text(encoding="utf-8"))
    return about.get("installed_by", "")
