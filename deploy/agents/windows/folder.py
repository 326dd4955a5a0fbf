"""The agent for Windows as one folder: launcher, interpreter, libraries, restic and the licences of all of it."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from deploy.agents import folder as linux
from deploy.agents.folder import ROOT, about, settle
from deploy.agents.pins import NoInput
from deploy.agents.windows import launcher
from deploy.agents.windows.inputs import Engine, Interpreter

ARCHITECTURE = "x86_64"
PLACE = r"C:\Program Files\strongroom-agent"
"""Where it lies unless somebody chooses another folder: what tracebacks name."""
SYSTEM = "x86_64-pc-windows-msvc"
# What nobody calls: other ways to start it, databases, sounds, tests.
_UNUSED = ("python.exe", "pythonw.exe", "python.cat", "sqlite3.dll", "_sqlite3.pyd", "winsound.pyd", "_msi.pyd")


def assemble(folder: Path, interpreter: Interpreter, engine: Engine, restic_licence: bytes) -> None:
    """Lay the folder out; the same inputs, sources and compiler give the same bytes. Raises NoInput where there is
    nothing to compile with."""
    folder.mkdir()
    _interpreter(folder / "python", interpreter)
    packages = folder / "packages"
    linux.packages(packages, f"3.{interpreter.minor}", SYSTEM)
    _compile(packages, interpreter.minor)
    shutil.copyfile(engine.program, folder / "restic.exe")
    launcher.compile_one(folder / "strongroom-agent.exe", "strongroom_agent", rf"python\{interpreter.library}")
    launcher.compile_one(folder / "python/on-path.exe", "strongroom_agent.setup.windows_path", interpreter.library)
    _licences(folder / "licences", interpreter, engine, restic_licence)
    about(folder, architecture=ARCHITECTURE)
    settle(folder)


def compiler(minor: int) -> str:
    """A CPython of this version that runs here: what it compiles is the same on every system. Raises NoInput."""
    if sys.version_info[1] == minor:
        return sys.executable
    kept = sorted((ROOT / "build/agents").glob(f"interpreter-*/python/bin/python3.{minor}"))
    found = str(kept[-1]) if kept else shutil.which(f"python3.{minor}")
    if found is None:
        raise NoInput(
            f"there is no python3.{minor} here to compile the agent for that version with. Put one on the PATH (as uv"
            f" python install 3.{minor} does), or run make agents, whose interpreter is taken."
        )
    return found


def _interpreter(place: Path, interpreter: Interpreter) -> None:
    with zipfile.ZipFile(interpreter.archive) as whole:
        whole.extractall(place)
    for name in _UNUSED:
        (place / name).unlink(missing_ok=True)
    # Where it looks for modules: here alone, whatever the registry and the environment say.
    library = f"python3{interpreter.minor}"
    (place / f"{library}._pth").write_text(f"{library}.zip\r\n.\r\n..\\packages\r\n", newline="")


def _compile(packages: Path, minor: int) -> None:
    """All of it, so that nothing is left to write where the program lies."""
    laid = ["--invalidation-mode", "unchecked-hash", "-s", str(packages.parent), "-p", PLACE]
    done = subprocess.run(
        [compiler(minor), "-I", "-m", "compileall", "-q", *laid, str(packages)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"compileall: {(done.stdout + done.stderr).strip()[-2000:]}")


def _licences(folder: Path, interpreter: Interpreter, engine: Engine, restic_licence: bytes) -> None:
    folder.mkdir()
    shutil.copyfile(ROOT / "LICENSE", folder / "strongroom-agent.txt")
    (folder / "restic.txt").write_bytes(restic_licence)
    with zipfile.ZipFile(interpreter.archive) as whole:
        (folder / "python.txt").write_bytes(whole.read(interpreter.pin.licence_file))
    linux.package_licences(folder / "python-packages", folder.parent / "packages")
    told = "".join(
        f"{name} {pin.version}: {pin.licence}; {pin.source}\n"
        for name, pin in (("python", interpreter.pin), ("restic", engine.pin))
    )
    (folder / "README.txt").write_text(
        f"What the folder holds of others. Each one's licence lies beside this file.\n\n{told}", encoding="utf-8"
    )
