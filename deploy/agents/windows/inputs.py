"""The two programs that the installers bring along, interpreter and restic: taken only with the digest asked for."""

import re
import shutil
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.agents import pins
from deploy.agents.pins import NoInput, Pin

PINS = Path(__file__).with_name("pins.toml")
FOR_TESTS = "FOR-TESTS-ONLY"
"""A file in an interpreter's archive that says so. Nothing that people could publish is built from such a one."""
_LIBRARY = re.compile(r"python3(\d+)\.dll")
_RELEASE = re.compile(r"restic_(\d+\.\d+\.\d+)_windows_amd64\.exe")
_PRODUCT = "ProductVersion\0".encode("utf-16-le")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Interpreter:
    """An embeddable CPython as an archive."""

    archive: Path
    pin: Pin
    minor: int
    for_tests: bool

    @property
    def library(self) -> str:
        """Its main library."""
        return f"python3{self.minor}.dll"


@dataclass(frozen=True)
class Engine:
    """restic as a program for Windows."""

    program: Path
    pin: Pin


def interpreter(kept: Path, given: str = "", sha256: str = "") -> Interpreter:
    """Python's own embeddable archive for 64-bit Windows: the pinned one, or another of the digest `sha256` from the
    path or address `given`. Raises NoInput."""
    pin = _pin("windows_python", given, sha256, "--interpreter")
    archive = pins.get(pin, kept, given)
    try:
        with zipfile.ZipFile(archive) as whole:
            names = whole.namelist()
            libraries = [name for name in names if _LIBRARY.fullmatch(name)]
            if len(libraries) != 1:
                raise NoInput(f"{given or pin.url} is no embeddable Python: there is no python3XX.dll in it.")
            version = _product_version(whole.read(libraries[0]))
    except zipfile.BadZipFile as error:
        raise NoInput(f"{given or pin.url} is no zip archive.") from error
    found = _LIBRARY.fullmatch(libraries[0])
    assert found is not None  # noqa: S101 - it was, above
    return Interpreter(archive, replace(pin, version=version or pin.version), int(found[1]), FOR_TESTS in names)


def restic(kept: Path, folder: Path, given: str = "", sha256: str = "") -> Engine:
    """restic of its official release for 64-bit Windows, unpacked into `folder`; `given` and `sha256` as above.

    Raises NoInput, also for a file that is neither the release's archive nor its program: the version is in the name.
    """
    pin = _pin("windows_restic", given, sha256, "--restic")
    file = pins.get(pin, kept, given)
    program = folder / "restic.exe"
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as whole:
            named = [found for name in whole.namelist() if (found := _RELEASE.fullmatch(name))]
            if len(named) != 1:
                raise NoInput(
                    f"{given or pin.url} is not restic's release: no restic_VERSION_windows_amd64.exe is in it."
                )
            program.write_bytes(whole.read(named[0][0]))
            return Engine(program, replace(pin, version=named[0][1]))
    alone = _RELEASE.fullmatch(given.rstrip("/").rsplit("/", 1)[-1])
    if alone is None:
        raise NoInput(
            f"{given} is neither restic's archive nor restic_VERSION_windows_amd64.exe, as upstream names it."
        )
    shutil.copyfile(file, program)
    return Engine(program, replace(pin, version=alone[1]))


def _pin(name: str, given: str, sha256: str, flag: str) -> Pin:
    """The pinned input, or what is given in its place; its digest is always known before it is looked at."""
    pin = pins.pins(PINS)[name]
    if not sha256:
        return pin
    if not given:
        raise NoInput(f"{flag}-sha256 goes with {flag} PATH-OR-ADDRESS.")
    if not _DIGEST.fullmatch(sha256.lower()):
        raise NoInput(f"{flag}-sha256 is no SHA-256: 64 hexadecimal digits.")
    return replace(pin, sha256=sha256.lower(), url=given if "://" in given else "")


def _product_version(library: bytes) -> str:
    """What Windows would show as the version of the library; "" when it says none."""
    place = library.find(_PRODUCT)
    if place < 0:
        return ""
    text = library[place + len(_PRODUCT) :][:64].decode("utf-16-le", "replace").lstrip("\0")
    return text.partition("\0")[0]
