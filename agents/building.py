"""Building the agent's package for Linux from the sources that this portal came with."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings

from agents.models import AgentPackage
from agents.packages import publish
from portal.accounts.actors import Actor

SOURCES = Path(settings.BASE_DIR) / "agents" / "client"
SCRIPT = SOURCES / "build_package.py"
LONGEST = 600  # seconds
_TAKEN_IN = ("strongroom_agent/**/*", "build_package.py", "requirements.txt")


class BuildFailed(Exception):
    """The package could not be built; the text says why, in one line."""


@dataclass(frozen=True)
class _Stamp:
    """Beside the packages: from which sources the published one was built."""

    path: Path

    def names(self, sources: str) -> str:
        """The file that was built from `sources`; empty when none was, or nobody knows."""
        try:
            built: dict[str, str] = json.loads(self.path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return ""
        return built["file"] if built.get("sources") == sources else ""

    def write(self, sources: str, file_name: str) -> None:
        """Note it, whole or not at all."""
        draft = self.path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps({"sources": sources, "file": file_name}))
        draft.replace(self.path)


def bring_up_to_date(actor: Actor) -> tuple[AgentPackage, bool]:
    """The published package for Linux, and whether it had to be built anew because its sources have changed.

    Building takes up to a minute and needs the package index. Raises BuildFailed; what was published before stays then.
    """
    stamp = _Stamp(settings.AGENT_PACKAGES / f".linux-{platform.machine()}.json")
    sources = fingerprint()
    package = _published(stamp.names(sources))
    if package is not None:
        return package, False
    with TemporaryDirectory(prefix="strongroom-agent-") as scratch:
        facts = _build(Path(scratch))
        package = publish(
            Path(scratch) / "strongroom-agent",
            platform=str(facts["platform"]),
            architecture=str(facts["architecture"]),
            version=str(facts["version"]),
            actor=actor,
        )
    stamp.write(sources, package.file_name)
    return package, True


def fingerprint() -> str:
    """Changes when the sources of the package do, or what builds it."""
    digest = hashlib.sha256(platform.machine().encode())
    paths = {path for pattern in _TAKEN_IN for path in SOURCES.glob(pattern) if path.is_file()}
    for path in sorted(path for path in paths if "__pycache__" not in path.parts):
        digest.update(f"\0{path.relative_to(SOURCES)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _published(file_name: str) -> AgentPackage | None:
    """The package, if it is listed and its file is whole, as far as its size tells."""
    package = AgentPackage.objects.filter(file_name=file_name, withdrawn_at=None).first()
    path = settings.AGENT_PACKAGES / file_name
    return package if package and path.is_file() and path.stat().st_size == package.size else None


def _build(scratch: Path) -> dict[str, object]:
    """Run the build in a process of its own: it may take what it needs, and leaves nothing but its file."""
    command = [sys.executable, str(SCRIPT), str(scratch / "strongroom-agent")]
    environment = {**os.environ, "PEX_ROOT": str(scratch / "pex")}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LONGEST, check=True, cwd=scratch
        )
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"It was not done after {LONGEST} seconds.") from error
    except subprocess.CalledProcessError as error:
        raise BuildFailed((error.stderr.strip().splitlines() or ["It gave no reason."])[-1]) from error
    facts: dict[str, object] = json.loads(done.stdout)
    return facts
