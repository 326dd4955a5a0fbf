"""The installer for people and scripts: a program that NSIS makes of the folder."""

import os
import shlex
import subprocess
from pathlib import Path

from strongroom_agent import __version__

from deploy.agents import compiled

SCRIPT = Path(__file__).with_name("installer.nsi")


def pack(
    tree: Path, output: Path, version: str = __version__, *, sign: list[str] | None = None, quick: bool = False
) -> None:
    """Make the installer of what lies in `tree`.

    `sign`: a command that signs the file whose path stands behind it, for the uninstaller, which is made while
    installers are; without it the same folder gives the same bytes. `quick` compresses less, in seconds instead of
    minutes, for tests.
    """
    words = {"VERSION": version, "NUMBERS": ".".join([*version.split("."), "0", "0", "0"][:4])}
    words |= {"TREE": str(tree), "OUTPUT": str(output), "COMPRESSION": "zlib" if quick else "/SOLID lzma"}
    if sign:
        words["SIGN"] = shlex.join(sign)
    command = ["makensis", "-V2", "-WX", *(f"-D{name}={value}" for name, value in words.items()), str(SCRIPT)]
    done = subprocess.run(
        command,
        env={**os.environ, "SOURCE_DATE_EPOCH": compiled.SECONDS, "TZ": "UTC", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"makensis: {(done.stdout + done.stderr).strip()[-2000:]}")
