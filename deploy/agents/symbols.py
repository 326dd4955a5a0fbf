"""Which systems a program runs on, by the versions of the C library's symbols that its files ask for."""

import re
import subprocess
from pathlib import Path

NEWEST_ALLOWED = (2, 31)
"""That of Debian 11; Ubuntu 22.04 has 2.35, RHEL 9 has 2.34."""
_ELF = b"\x7fELF"
_SYMBOL = re.compile(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?\b")
# The last one comes with the C library on each of them, or before it.
_OF_THE_SYSTEM = {
    "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1", "libgcc_s.so.1",
}  # fmt: skip


class Misfit(Exception):
    """A file asks for more than the oldest system has that it is for; says which and what."""


def check(folder: Path) -> tuple[int, int]:
    """The newest version that anything in the folder asks for. Raises Misfit if that is too new, or a file needs a
    library that is neither the C library nor in the folder."""
    newest = (0, 0)
    programs = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and _is_elf(path))
    own = {path.name for path in programs}
    for path in programs:
        wanted = versions(_readelf("--version-info", path))
        newest = max([newest, *wanted])
        if too_new := sorted(each for each in wanted if each > NEWEST_ALLOWED):
            raise Misfit(f"{path.relative_to(folder)} asks for glibc {too_new[-1][0]}.{too_new[-1][1]}.")
        if missing := needed(_readelf("--dynamic", path)) - own - _OF_THE_SYSTEM:
            raise Misfit(f"{path.relative_to(folder)} needs {', '.join(sorted(missing))}.")
    if not programs:
        raise Misfit(f"There is no program in {folder}.")
    return newest


def versions(told: str) -> set[tuple[int, int]]:
    """The versions of the C library that readelf's --version-info names."""
    return {(int(major), int(minor)) for major, minor in _SYMBOL.findall(told)}


def needed(told: str) -> set[str]:
    """The libraries that readelf's --dynamic names as needed."""
    return set(re.findall(r"\(NEEDED\).*\[(\S+)\]", told))


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == _ELF


def _readelf(what: str, path: Path) -> str:
    command = ["readelf", what, "--wide", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
