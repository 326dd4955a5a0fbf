"""Build the agent for Linux as one file that runs on any Python 3.11 or newer of this architecture.

    python agents/client/build_package.py OUTPUT

Prints one JSON object: path, size in bytes, sha256, version, platform, architecture. The same sources and
lock give the same bytes. Needs `pex`, and the package index for the wheels that requirements.txt locks.
"""

import argparse
import ast
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHONS = (11, 12, 13, 14)
# Wheels for this glibc or an older one run on every Linux distribution that is still maintained.
_NEWEST_GLIBC, _OLDEST_GLIBC = 28, 17
_SHEBANG = "/usr/bin/env python3"
# Of the calling shell's environment only what the agent's README names reaches Python and pex: modules could be planted
# with PYTHONPATH, and other programs be run with PEX_MODULE. The shell reads no further than these lines.
_ANSWERS = (
    "UNATTENDED", "ANSWERS", "CREDENTIALS", "INSTALL_DIR", "CACHE_DIR", "PROTECT", "INCLUDE_NETWORK", "PASSPHRASE_FILE",
    "GENERATE_PASSPHRASE", "SAVE_PASSPHRASE_TO", "PROXY", "PROXY_USER", "PROXY_PASSWORD_FILE", "NAME", "NO_SCHEDULE",
    "NO_LINK",
)  # fmt: skip
_KEPT = ("PATH", "HOME", "TERM", "STRONGROOM_AGENT_HOME", "RESTIC", *(f"STRONGROOM_SETUP_{each}" for each in _ANSWERS))
# Of PATH only the parts that name a place by themselves, or else a python3 in the current folder might be run.
_SAFE_PATH = r"""set -f; IFS=:; kept=
for part in $PATH; do case $part in /*) kept=$kept:$part ;; esac; done
PATH=${kept#:}; unset IFS
"""


def build(output: Path, pex: str | None = None) -> dict[str, object]:
    """Build the package and say what it is. CalledProcessError when pex fails, OSError when it is missing."""
    machine = platform.machine()
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        sources = Path(scratch) / "sources"
        shutil.copytree(HERE / "strongroom_agent", sources / "strongroom_agent", ignore=_not_source)
        _same_modes(sources)
        draft = Path(scratch) / "strongroom-agent"
        subprocess.run(_command(pex or _pex(), sources, draft, machine), check=True, stdout=sys.stderr)
        draft.write_bytes(_isolated(draft.read_bytes()))
        draft.chmod(0o755)
        shutil.move(draft, output)
    content = output.read_bytes()
    return {
        "path": str(output),
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "version": version(),
        "platform": "linux",
        "architecture": machine,
    }


def version() -> str:
    """The agent's version, read without importing it."""
    tree = ast.parse((HERE / "strongroom_agent" / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            return str(node.value.value)
    raise ValueError("strongroom_agent/__init__.py names no version")


def target(minor: int, machine: str) -> dict[str, object]:
    """A CPython 3.`minor` on Linux, in the form of pex's --complete-platform."""
    return {
        "marker_environment": {
            "implementation_name": "cpython",
            "implementation_version": f"3.{minor}.0",
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"3.{minor}.0",
            "python_version": f"3.{minor}",
            "sys_platform": "linux",
        },
        "compatible_tags": list(_tags(minor, machine)),
    }


def _tags(minor: int, machine: str) -> Iterator[str]:
    """Wheel tags from the most to the least specific."""
    platforms = [f"manylinux_2_{glibc}_{machine}" for glibc in range(_NEWEST_GLIBC, _OLDEST_GLIBC - 1, -1)]
    platforms.append(f"manylinux2014_{machine}")
    yield from (f"cp3{minor}-cp3{minor}-{each}" for each in platforms)
    yield from (f"cp3{older}-abi3-{each}" for older in range(minor, 6, -1) for each in platforms)
    yield from (f"cp3{minor}-none-any", f"py3{minor}-none-any", "py3-none-any")


def _command(pex: str, sources: Path, draft: Path, machine: str) -> list[str]:
    command = [pex, "--requirement", str(HERE / "requirements.txt"), "--no-build", "--no-transitive"]
    command += [
        "--sources-directory",
        str(sources),
        "--entry-point",
        "strongroom_agent.__main__:main",
        "--output-file",
        str(draft),
    ]
    # What it says of itself, such as that ldd is missing, is no matter of whoever makes a backup.
    command += ["--no-emit-warnings", "--python-shebang", _SHEBANG]
    for minor in PYTHONS:
        described = draft.with_name(f"cp3{minor}.json")
        described.write_text(json.dumps(target(minor, machine)), encoding="utf-8")
        command += ["--complete-platform", str(described)]
    return command


def _isolated(package: bytes) -> bytes:
    """The package with a start of our own instead of pex's: a zip file may have anything before it."""
    kept = " ".join(f'${{{name}+"{name}=${name}"}}' for name in _KEPT)
    start = (
        f"#!/bin/sh\n{_SAFE_PATH}"
        f'exec /usr/bin/env -i {kept} PEX_DISABLE_VARIABLES=1 python3 -I -W ignore -X utf8 "$0" "$@"\n'
    )
    line, end, archive = package.partition(b"\n")
    if line + end != f"#!{_SHEBANG}\n".encode():
        raise ValueError("pex has begun the package in a way that we do not know")
    return start.encode() + archive


def _pex() -> str:
    """pex beside this interpreter, or on the PATH."""
    beside = Path(sys.executable).parent / "pex"
    found = str(beside) if beside.exists() else shutil.which("pex")
    if found is None:
        raise FileNotFoundError("pex is not installed; it is in deploy/requirements-dev.txt")
    return found


def _not_source(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__" or name.startswith(".")}


def _same_modes(folder: Path) -> None:
    """Whoever builds, with whatever umask: the archive records modes."""
    for path in folder.rglob("*"):
        os.chmod(path, 0o755 if path.is_dir() else 0o644)


def main() -> None:
    """Build to the path on the command line."""
    parser = argparse.ArgumentParser(description="Build strongroom-agent for Linux as one file.")
    parser.add_argument("output", type=Path)
    print(json.dumps(build(parser.parse_args().output)))


if __name__ == "__main__":
    main()
