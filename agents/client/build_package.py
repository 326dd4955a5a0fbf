"""Build the agent for Linux as one file that runs on any Python 3.11 or newer of this architecture.

    python agents/client/build_package.py OUTPUT [--update-keys FILE]

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
# What of the calling shell's environment reaches the program; start.sh says why no more.
_ANSWERS = (
    "UNATTENDED", "ANSWERS", "CREDENTIALS", "INSTALL_DIR", "CACHE_DIR", "PROTECT", "INCLUDE_NETWORK", "PASSPHRASE_FILE",
    "GENERATE_PASSPHRASE", "SAVE_PASSPHRASE_TO", "PROXY", "PROXY_USER", "PROXY_PASSWORD_FILE", "NAME", "NO_SCHEDULE",
    "NO_LINK",
)  # fmt: skip
_KEPT = ("PATH", "HOME", "TERM", "STRONGROOM_AGENT_HOME", "RESTIC", *(f"STRONGROOM_SETUP_{each}" for each in _ANSWERS))


def build(output: Path, pex: str | None = None, update_keys: Path | None = None) -> dict[str, object]:
    """Build the package and say what it is; with `update_keys` it believes releases signed by these. CalledProcessError
    when pex fails, OSError when it is missing, ValueError when the file holds no update keys."""
    machine = platform.machine()
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        sources = Path(scratch) / "sources"
        shutil.copytree(HERE / "strongroom_agent", sources / "strongroom_agent", ignore=_not_source)
        lay_keys(update_keys, sources / "strongroom_agent")
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


def lay_keys(file: Path | None, package: Path) -> None:
    """Put the public update keys (of `python -m deploy.update_key public`) into the agent's package."""
    if file is None:
        return
    known = json.loads(file.read_text(encoding="utf-8"))
    keys = known.get("keys") if isinstance(known, dict) else None
    if not isinstance(keys, list) or not 1 <= len(keys) <= 2 or not all(isinstance(each, str) for each in keys):
        raise ValueError(f"{file} holds no update keys")
    text = json.dumps({"keys": keys}, sort_keys=True)
    (package / "update" / "keys.json").write_text(text + "\n", encoding="utf-8")


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


def start(command: str, program: str, *variables: str) -> str:
    """The shell's lines that start the agent: the interpreter `command` runs `program`, with no environment but what is
    kept, and `variables` of our own."""
    kept = " ".join([*(f'${{{name}+"{name}=${name}"}}' for name in _KEPT), *variables])
    text = (HERE / "start.sh").read_text(encoding="utf-8")
    return text.replace("%{command}", f"exec /usr/bin/env -i {kept} {command}").replace("%{program}", program)


def _isolated(package: bytes) -> bytes:
    """The package with a start of our own instead of pex's: a zip file may have anything before it."""
    line, end, archive = package.partition(b"\n")
    if line + end != f"#!{_SHEBANG}\n".encode():
        raise ValueError("pex has begun the package in a way that we do not know")
    return start("python3", '"$0"', "PEX_DISABLE_VARIABLES=1").encode() + archive


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
    """Build to the path on the command line, or say with what a folder that has its own interpreter is started."""
    parser = argparse.ArgumentParser(description="Build strongroom-agent for Linux as one file.")
    parser.add_argument("output", type=Path)
    parser.add_argument("--update-keys", type=Path, metavar="FILE", help="the public keys that updates are signed with")
    parser.add_argument("--start-of-folder", action="store_true", help="write only what starts an agent in a folder")
    parser.add_argument(
        "--keys-only", action="store_true", help="OUTPUT is the agent's package: only put the keys there"
    )
    given = parser.parse_args()
    if given.keys_only:
        lay_keys(given.update_keys, given.output)
        return
    if given.start_of_folder:
        interpreter = '"$(dirname -- "$(readlink -f -- "$0")")"/python/bin/python3'
        given.output.write_text(start(interpreter, "-m strongroom_agent"), encoding="utf-8")
        given.output.chmod(0o755)
        return
    print(json.dumps(build(given.output, update_keys=given.update_keys)))


if __name__ == "__main__":
    main()
