"""A bare Debian in a folder, to compile in or to try packages in: made by debootstrap, entered as root."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.agents import debian

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root", "TZ": "UTC"}
_APT = {"DEBIAN_FRONTEND": "noninteractive"}


class NoRoom(Exception):
    """Nothing can be made or run in a bare Debian here; says why."""


@dataclass(frozen=True)
class Room:
    """The folder in which it lies."""

    root: Path

    def run(self, *command: str, online: bool = False, environment: dict[str, str] | None = None) -> str:
        """What the command says on standard output; its processes end with it. Raises NoRoom where it fails.

        Without `online` it has no network, so that nothing comes in but what is pinned.
        """
        spaces = ["--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={self.root / 'proc'}"]
        line = ["unshare", *spaces, *([] if online else ["--net"]), "chroot", str(self.root), *command]
        done = subprocess.run(
            line,
            env=_ENVIRONMENT | (environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            told = "\n".join([*done.stdout.splitlines()[-10:], *done.stderr.splitlines()[-30:]])
            raise NoRoom(f"{' '.join(command)} ended with {done.returncode}:\n{told}")
        return done.stdout

    def install(self, *packages: str, verb: str = "install") -> None:
        """Debian's packages, or with the verb `build-dep` what their sources are built with."""
        self.run("apt-get", "-qq", "-y", "--no-install-recommends", verb, *packages, online=True, environment=_APT)


@contextmanager
def bare(suite: str, *, updates: bool = True) -> Iterator[Room]:
    """A bare Debian of the suite, which is gone afterwards. With `updates` as they are now, and its sources."""
    if missing := [name for name in ("debootstrap", "unshare", "chroot") if not shutil.which(name)]:
        raise NoRoom(f"There is no {', '.join(missing)}: as root, apt-get install debootstrap util-linux.")
    folder = Path(tempfile.mkdtemp(prefix=f"strongroom-{suite}-"))
    folder.chmod(0o755)  # apt and others in it give up root's rights
    try:
        room = Room(folder)
        _say(f"making a bare Debian ({suite})")
        mirror = debian.mirrors()["Debian"]
        made = ["debootstrap", "--variant=minbase", f"--keyring={debian.KEYRING}", suite, str(folder), mirror]
        done = subprocess.run(made, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoRoom(f"debootstrap failed: {(done.stdout + done.stderr).strip()[-500:]}. It has to be run as root.")
        if updates:
            (folder / "etc/apt/sources.list").write_text(debian.lists(suite) + debian.lists(suite, "deb-src"))
            room.run("apt-get", "-qq", "update", online=True)
        yield room
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _say(what: str) -> None:
    sys.stderr.write(f"  {what}\n")
