"""What a schedule is called where the system keeps it: one name for each state folder, so that two machines on one
computer, each with a folder of its own, do not take each other's place."""

import hashlib
import re
from pathlib import Path

from strongroom_agent.state.home import NAME, platform_folder

_PLAIN = re.compile(r"[^A-Za-z0-9]+")
_SHOWN = 24


def of(folder: Path) -> str:
    """`strongroom-agent` for the platform's own place, else with the end of the path and a digest of all of it."""
    real = folder.resolve()
    if real == platform_folder().resolve():
        return NAME
    end = _PLAIN.sub("-", "-".join(real.parts[-2:])).strip("-")[-_SHOWN:].strip("-")
    digest = hashlib.sha256(str(real).encode("utf-8", "surrogateescape")).hexdigest()[:10]
    return "-".join(filter(None, (NAME, end, digest)))
