"""What the wizard proposes: where an earlier setup has put things, else what is usual on this system."""

import os
import sys
from pathlib import Path

from strongroom_agent.core.errors import AgentError
from strongroom_agent.core.paths import absolute
from strongroom_agent.portal import enrolment_code
from strongroom_agent.setup import checks
from strongroom_agent.state.home import NAME

from .draft import Draft

_SYSTEM = ("/etc", "/home", "/srv")
_MEMORY = Path("/dev/shm")  # noqa: S108 - proposed to a person, and only for a file that must not be there yet


def protect(draft: Draft) -> list[str]:
    """For the whole system its configuration and what people have on it, else one's own folder."""
    if before := draft.before:
        return before.protect
    system = [each for each in _SYSTEM if _is_root() and os.path.isdir(each) and os.listdir(each)]
    return system or [str(Path.home())]


def install_dir(draft: Draft) -> str:
    """Where programs are that came beside the system's own."""
    if (before := draft.before) and before.install_dir:
        return before.install_dir
    if sys.platform == "win32":
        return str(Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "Programs" / NAME)
    return f"/opt/{NAME}" if _is_root() else str(Path.home() / ".local" / "lib" / NAME)


def cache_dir(draft: Draft) -> str:
    """Where the system has caches."""
    if (before := draft.before) and before.cache_dir:
        return before.cache_dir
    if sys.platform == "win32":
        return str(Path(os.environ.get("LOCALAPPDATA") or Path.home()) / f"{NAME}-cache")
    if sys.platform == "darwin":
        return str(Path.home() / "Library" / "Caches" / NAME)
    return f"/var/cache/{NAME}" if _is_root() else str(Path.home() / ".cache" / NAME)


def credentials(draft: Draft) -> str:
    """What an interrupted setup has got for its one-time code; else the newest credential file where people have such
    files; empty when there is none. Not one that another user has put there: it could lead to a portal of theirs."""
    kept = enrolment_code.kept_at(draft.home)
    if kept.exists():
        return str(kept)
    found: list[tuple[float, str]] = []
    for folder in (Path.cwd(), Path.home(), Path.home() / "Downloads"):
        try:
            found += [(each.stat().st_mtime, str(each)) for each in folder.glob("*.VaultCredentials") if _is_ours(each)]
        except OSError:
            continue
    return max(found, default=(0, ""))[1]


def save_passphrase_to(draft: Draft) -> str:
    """A new file that is not locked into the backups; in memory where all else is. Empty where none is."""
    name = "strongroom-passphrase"
    for folder in (Path.home(), _MEMORY):
        for number in ("", *(f"-{count}" for count in range(2, 10))):
            path = str(folder / f"{name}{number}.txt")
            try:
                taken = draft.taking("save_passphrase_to", path)
                checks.passphrase_target(draft.home, taken.options)
            except AgentError as error:
                if error.code == "passphrase_file_exists":
                    continue
                break
            return path
    return ""


def full(path: str) -> str:
    """The path as it is meant by a person who types it."""
    return absolute(path) if path else ""


def _is_ours(path: Path) -> bool:
    return sys.platform == "win32" or path.lstat().st_uid in {os.geteuid(), 0}


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0
