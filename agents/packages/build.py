"""Building the agent's package for Linux from the sources that this portal came with.

A build lies beside the installed programs, under the digest of its sources, so that it is made once for an
installation, however many data folders there are.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings

from agents.models import AgentPackage
from agents.packages.publish import About, publish
from portal.core.actor import Actor

SOURCES = Path(settings.BASE_DIR) / "agents" / "client"
PROGRAM = "strongroom-agent"
LONGEST = 600  # seconds
_TAKEN_IN = ("strongroom_agent/**/*", "build_package.py", "start.sh", "requirements.txt")


class BuildFailed(Exception):
    """The package could not be built; the text says why, in one line."""


class Withdrawn(Exception):
    """The package that these sources make was withdrawn by somebody; the text is its file's name."""


def bring_up_to_date(actor: Actor, *, again: bool = False) -> tuple[AgentPackage, bool]:
    """The published package for Linux, and whether it was published only now, because its sources have changed.

    Building takes up to a minute and needs the package index. Raises BuildFailed; what was published before stays then.
    Raises Withdrawn where somebody withdrew what these sources make, unless it is to be published `again`.
    """
    try:
        sources = fingerprint()
    except OSError as error:
        raise BuildFailed(f"{error.filename} cannot be read: {error.strerror}.") from error
    if not again:
        require_not_withdrawn(sources=sources)
    build = _build_of(sources)
    facts: dict[str, str] = json.loads((build / "facts.json").read_text())
    package = published(facts["sha256"])
    if package is not None:
        AgentPackage.objects.filter(pk=package.pk).update(sources=sources)
        return package, False
    if not again:
        require_not_withdrawn(sha256=facts["sha256"])
    about = About(facts["platform"], facts["architecture"], facts["version"])
    return publish(build / PROGRAM, about, actor=actor, sources=sources), True


def require_not_withdrawn(**made: str) -> None:
    """Raise Withdrawn where somebody took back a package that was made of this."""
    withdrawn = AgentPackage.objects.filter(**made, kept_back=True).first()
    if withdrawn is not None:
        raise Withdrawn(withdrawn.file_name)


def fingerprint() -> str:
    """Changes when the sources of the package do, or what builds it."""
    digest = hashlib.sha256(platform.machine().encode())
    paths = {path for pattern in _TAKEN_IN for path in SOURCES.glob(pattern) if path.is_file()}
    for path in sorted(path for path in paths if "__pycache__" not in path.parts):
        digest.update(f"\0{path.relative_to(SOURCES)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    if settings.AGENT_UPDATE_KEYS:
        digest.update(b"\0update keys\0" + Path(settings.AGENT_UPDATE_KEYS).read_bytes())
    return digest.hexdigest()


def builds() -> Path:
    """Where builds lie: in the virtual environment, or in the data folder when that one cannot be written."""
    return Path(sys.prefix if os.access(sys.prefix, os.W_OK) else settings.DATA) / "agent-builds"


def published(sha256: str) -> AgentPackage | None:
    """The package, if it is listed and its file is whole, as far as its size tells."""
    package = AgentPackage.objects.filter(sha256=sha256, withdrawn_at=None).first()
    if package is None:
        return None
    path = settings.AGENT_PACKAGES / package.file_name
    return package if path.is_file() and path.stat().st_size == package.size else None


def _build_of(sources: str) -> Path:
    """The folder with the program and its `facts.json`, whole; built now when there is none, in place of older ones."""
    folder = builds() / sources
    if folder.is_dir():
        return folder
    builds().mkdir(parents=True, exist_ok=True)
    with (builds() / ".lock").open("w") as lock, TemporaryDirectory(dir=builds(), prefix=".") as scratch:
        fcntl.flock(lock, fcntl.LOCK_EX)  # portals that start together build once; whoever waits, waits for a build
        if folder.is_dir():
            return folder
        draft = Path(scratch) / "build"
        draft.mkdir()
        (draft / "facts.json").write_text(_build(draft / PROGRAM, Path(scratch) / "pex"))
        draft.rename(folder)
    for other in set(builds().glob("[!.]*")) - {folder}:
        shutil.rmtree(other)
    return folder


def _build(output: Path, workshop: Path) -> str:
    """Run the build in a process of its own, which leaves nothing behind but `output`; what it says of it, as JSON."""
    command = [sys.executable, str(SOURCES / "build_package.py"), str(output)]
    if settings.AGENT_UPDATE_KEYS:
        command += ["--update-keys", settings.AGENT_UPDATE_KEYS]
    environment = {**os.environ, "PEX_ROOT": str(workshop)}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONGEST, check=True)
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"It was not done after {LONGEST} seconds.") from error
    except subprocess.CalledProcessError as error:
        raise BuildFailed((error.stderr.strip().splitlines() or ["It gave no reason."])[-1]) from error
    return done.stdout
