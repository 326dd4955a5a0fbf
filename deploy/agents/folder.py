"""The agent as one folder: interpreter, libraries, agent, restic and the licences of all of it."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from strongroom_agent import __version__

from deploy.agents import compiled
from deploy.agents.pins import pins

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "agents" / "client"
PLACE = "/opt/strongroom-agent"
"""Where the .deb and the .rpm put it."""
_UNUSED = (
    "ensurepip", "idlelib", "pydoc_data", "sqlite3", "tkinter", "turtledemo", "venv", "curses", "dbm", "turtle.py",
    "__phello__", "test", "unittest",
)  # fmt: skip


def assemble(folder: Path, store: Path, interpreter: Path, restic: Path) -> None:
    """Lay the folder out; the same interpreter, restic and sources give the same bytes, modes and times."""
    shutil.copytree(interpreter / "python", folder / "python", symlinks=True)
    python = folder / "python/bin/python3"
    python.with_name("python3.13").rename(python)
    library = folder / "python/lib/python3.13"
    for name in _UNUSED:
        _remove(library / name)
    packages(library / "site-packages", "3.13", f"{platform.machine()}-manylinux_2_31")
    run(sys.executable, str(CLIENT / "build_package.py"), "--start-of-folder", str(folder / "strongroom-agent"))
    shutil.copy(restic / "restic", folder / "restic")
    _licences(folder / "licences", store, [interpreter, restic], library / "site-packages")
    about(folder)
    # Where they will lie is written into them, not where they were made; nobody looks at the sources' times later.
    compile_all = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", PLACE]
    run(str(python), "-I", *compile_all, str(library))
    settle(folder)


def about(folder: Path, installed_by: str = "", architecture: str = "") -> None:
    """Write the file that makes it such a folder: strongroom_agent.core.packaged reads it."""
    machine = architecture or platform.machine()
    facts = {"version": __version__, "architecture": machine, "installed_by": installed_by}
    (folder / "about.json").write_text(json.dumps(facts, indent=2) + "\n")


def settle(folder: Path) -> None:
    """Modes and times that do not tell who built it, and when."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            os.utime(path, (int(compiled.SECONDS), int(compiled.SECONDS)))


def packages(place: Path, python: str, system: str) -> None:
    """The agent and what requirements.txt locks, by hash, as wheels for this Python on this system, the oldest one."""
    uv = str(Path(sys.executable).parent / "uv")
    fitting = ["--python-version", python, "--python-platform", system]
    strict = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "--no-compile-bytecode"]
    lock = str(CLIENT / "requirements.txt")
    _remove(place)
    run(uv, "--quiet", "pip", "install", "--target", str(place), *fitting, *strict, "-r", lock)
    for name in ("bin", ".lock"):
        _remove(place / name)
    for path in place.glob("*.dist-info/*"):
        if path.name in {"direct_url.json", "uv_cache.json", "RECORD", "REQUESTED"}:
            path.unlink()
    shutil.copytree(CLIENT / "strongroom_agent", place / "strongroom_agent", ignore=_no_source)
    if keys := os.environ.get("AGENT_UPDATE_KEYS"):
        lay = [str(CLIENT / "build_package.py"), "--keys-only", "--update-keys", keys, str(place / "strongroom_agent")]
        run(sys.executable, *lay)


def _licences(folder: Path, store: Path, made: list[Path], packages: Path) -> None:
    """Those of the inputs, of what Debian has linked into them, and of the Python packages; README lists them."""
    folder.mkdir()
    shutil.copy(ROOT / "LICENSE", folder / "strongroom-agent")
    for name, content in compiled.licences(store).items():
        (folder / name).write_bytes(content)
    for each in made:
        shutil.copytree(each / "licences", folder / "linked", dirs_exist_ok=True)
    package_licences(folder / "python-packages", packages)
    lines = [f"{pin.name} {pin.version}: {pin.licence}; {pin.source}" for pin in pins().values()]
    linked = "".join((each / "packages").read_text() for each in made)
    told = "What the folder holds of others. Each one's licence lies beside this file.\n\n" + "\n".join(lines)
    (folder / "README").write_text(f"{told}\n\nLinked into them, as Debian has it (licences in linked/):\n{linked}")


def package_licences(folder: Path, packages: Path) -> None:
    """Copy the licences of the Python packages that are installed in `packages`, each into a folder of its name."""
    for info in sorted(packages.glob("*.dist-info")):
        for path in (path for path in info.rglob("*") if path.is_file() and _is_licence(path)):
            place = folder / info.name.removesuffix(".dist-info")
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place / path.name)


def _is_licence(path: Path) -> bool:
    return path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS")) or (
        path.parent.name == "licenses"
    )


def _no_source(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__" or name.startswith(".")}


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def run(*command: str) -> None:
    """Run it. Raises SystemExit with the end of what it complains about, where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr.strip()[-2000:]}")
