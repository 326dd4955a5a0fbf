"""Brings a recent restic into .venv, so that nobody is stopped by the one of their system.

`python -m deploy.engine` ends with 0 when the agent will find a restic of at least MINIMUM, otherwise with 1 and the
reasons. Nothing is done where there is one already: by `RESTIC`, in .venv/bin, or on the PATH.
"""

import bz2
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx

MINIMUM = (0, 18)
BIN = Path(sys.executable).parent
RELEASE = "0.18.1"
# The project's published SHA256SUMS of that release.
SHA256 = {
    "linux_amd64": "680838f19d67151adba227e1570cdd8af12c19cf1735783ed1ba928bc41f363d",
    "darwin_amd64": "eb8543ed92ff1ddb67762daebf09f7bea4b0c37d21edb6a910bee3d4f514015f",
    "darwin_arm64": "193fccc8bb4567b498923bc70261e104ff22be88016f0f108b035dad372ab711",
}
DEBIAN = "trixie"  # the first release of Debian whose restic is recent enough; its program runs on the one before
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_VERSION = re.compile(r"restic (\d+)\.(\d+)")


class Unavailable(Exception):
    """This way leads to no restic here; says why."""


def main() -> int:
    """Look for a recent restic and bring one if there is none; the exit status."""
    if any(recent(program) for program in (os.environ.get("RESTIC"), str(BIN / "restic"), shutil.which("restic"))):
        return 0
    reasons = []
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            try:
                program = way(Path(folder))
                if not recent(str(program)):
                    raise Unavailable(f"{program.name} does not run here")
            except (Unavailable, OSError, httpx.HTTPError, subprocess.SubprocessError) as error:
                reasons.append(f"{(way.__doc__ or '').splitlines()[0]} {error}")
                continue
            _put(program, BIN / "restic")
            return 0
    wanted = ".".join(map(str, MINIMUM))
    sys.stderr.write(f"There is no restic {wanted} or newer here, and none could be brought:\n")
    sys.stderr.write("".join(f"  {reason}\n" for reason in reasons))
    sys.stderr.write("Install one and set RESTIC to its path. An older one restores to new folders only.\n")
    return 1


def recent(program: str | None) -> bool:
    """Whether this is a restic of at least MINIMUM that runs here."""
    if not program:
        return False
    try:
        said = subprocess.run([program, "version"], capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    found = _VERSION.match(said)
    return found is not None and (int(found[1]), int(found[2])) >= MINIMUM


def debian_package(folder: Path) -> Path:
    """Debian's package, unpacked without being installed:

    From wherever this system gets its packages, vouched for by the archive's keys as apt checks them. Its
    digest is not pinned: a point release of Debian replaces the package, and the one before is gone.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb") and KEYRING.exists()):
        raise Unavailable("this is no Debian.")
    listed = _output(["apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(COMPONENT) $(REPO_URI)"])
    mirrors = [line.split()[-1] for line in listed.splitlines() if line.startswith("Debian Debian main ")]
    if not mirrors:
        raise Unavailable("apt knows no mirror of Debian.")
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirrors[0]} {DEBIAN} main\n")
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder,
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "",  # the folder is ours alone
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in settings.items())]
    _output([*apt, "update"], folder)
    _output([*apt, "download", "restic"], folder)
    packages = list(folder.glob("restic_*.deb"))
    if len(packages) != 1:
        raise Unavailable("apt fetched no package.")
    _output(["dpkg-deb", "--extract", str(packages[0]), str(folder / "debian")])
    return folder / "debian/usr/bin/restic"


def official_release(folder: Path) -> Path:
    """The release of the restic project, by its digest:"""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    name = f"{platform.system().lower()}_{machine}"
    if name not in SHA256:
        raise Unavailable(f"no digest of it for {name} is known here.")
    url = f"https://github.com/restic/restic/releases/download/v{RELEASE}/restic_{RELEASE}_{name}.bz2"
    content = httpx.get(url, follow_redirects=True, timeout=60).raise_for_status().content
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise Unavailable(f"{url} is not what the project published.")
    program = folder / "restic"
    program.write_bytes(bz2.decompress(content))
    program.chmod(0o755)
    return program


WAYS: tuple[Callable[[Path], Path], ...] = (debian_package, official_release)


def _output(command: list[str], folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise Unavailable((done.stderr.strip().splitlines() or [f"{command[0]} failed"])[-1])
    return done.stdout


def _put(program: Path, place: Path) -> None:
    """In one step, since agents may be starting it."""
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.copyfile(program, draft)
    draft.chmod(0o755)
    draft.replace(place)


if __name__ == "__main__":
    sys.exit(main())
