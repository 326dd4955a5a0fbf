"""Debian's archive, from wherever this machine's apt gets it: sources of a digest, and where a bare system is from."""

import atexit
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SOURCES = "trixie"
"""The release whose sources are taken: the newest with support for years."""
_LONGEST = 900  # seconds


class Unavailable(Exception):
    """It cannot be had from Debian's archive here; says why."""


@cache
def mirrors() -> dict[str, str]:
    """Where this machine's apt gets Debian's packages, by label: `Debian`, `Debian-Security`."""
    if not KEYRING.exists():
        raise Unavailable(f"there is no {KEYRING}: install debian-archive-keyring.")
    listed = _output(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)"])
    parts = [line.split("|") for line in listed.splitlines()]
    found = {label: uri for origin, label, component, uri in parts if (origin, component) == ("Debian", "main")}
    if "Debian" not in found:
        raise Unavailable("apt knows no mirror of Debian. Run apt-get update.")
    return found


def lists(suite: str, kind: str = "deb") -> str:
    """The lines of a sources.list for the suite with its security updates."""
    known = mirrors()
    places = {suite: known["Debian"], f"{suite}-updates": known["Debian"]}
    if security := known.get("Debian-Security"):
        places[f"{suite}-security"] = security
    return "".join(f"{kind} [signed-by={KEYRING}] {uri} {name} main\n" for name, uri in places.items())


def source(package: str, sha256: str, folder: Path) -> Path:
    """A file of the sources of `package` that has this digest, brought into `folder`. Raises Unavailable."""
    state = _state()
    listed = _output(["apt-cache", *state, "showsrc", package])
    for stanza in listed.split("\n\n"):
        named = re.search(rf"^ {sha256} \d+ (\S+)$", stanza, re.MULTILINE)
        version = re.search(r"^Version: (\S+)$", stanza, re.MULTILINE)
        if not named or not version:
            continue
        part = "--tar-only" if ".orig.tar." in named[1] else "--diff-only"
        try:
            _output(["apt-get", "-qq", *state, "source", "--download-only", part, f"{package}={version[1]}"], folder)
        except Unavailable as error:
            raise Unavailable(f"{named[1]}: {error}") from error
        return folder / named[1]
    raise Unavailable(f"no version of {package} that it has is of this digest any more.")


@cache
def _state() -> tuple[str, ...]:
    """Options for apt to know the sources of SOURCES and nothing of this machine; its lists were fetched just now."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-apt-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "sources.list").write_text(lists(SOURCES, "deb-src"))
    settings = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder,
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "",  # the folder is ours alone
    }
    state = tuple(f"-o{name}={value}" for name, value in settings.items())
    _output(["apt-get", "-qq", *state, "update"])
    return state


def _output(command: list[str], folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_LONGEST, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    if done.returncode:
        raise Unavailable((done.stderr.strip().splitlines() or [f"{command[0]} failed"])[-1])
    return done.stdout
