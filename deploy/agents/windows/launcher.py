"""The launchers: small programs that start a module of the agent with the interpreter beside them."""

import subprocess
import tempfile
from pathlib import Path

from strongroom_agent import __version__

HERE = Path(__file__).parent
_COMPILER, _RESOURCES = "x86_64-w64-mingw32-gcc", "x86_64-w64-mingw32-windres"
# No time of building in it; addresses at random, no running of data.
_FLAGS = ["-Os", "-s", "-municode", "-Wall", "-Wextra", "-Werror", "-Wl,--no-insert-timestamp,--dynamicbase,--nxcompat"]


def compile_one(program: Path, module: str, library: str) -> None:
    """Make `program`, which runs `module`; `library` is the interpreter's, as a path from the program's folder.

    The same compiler gives the same bytes. Raises CalledProcessError.
    """
    numbers = ",".join([*__version__.split("."), "0", "0", "0"][:4])
    with tempfile.TemporaryDirectory() as scratch:
        resources = Path(scratch) / "launcher.o"
        about = [f'-DVERSION=\\"{__version__}\\"', f"-DNUMBERS={numbers}"]
        _run(_RESOURCES, "-I", str(HERE), *about, str(HERE / "launcher.rc"), "-O", "coff", "-o", str(resources))
        named = [f"-DMODULE={_wide(module)}", f"-DLIBRARY={_wide(library)}"]
        _run(_COMPILER, *_FLAGS, *named, str(HERE / "launcher.c"), str(resources), "-o", str(program))


def _wide(text: str) -> str:
    escaped = text.replace("\\", "\\\\")
    return f'L"{escaped}"'


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr.strip()[-2000:]}")
