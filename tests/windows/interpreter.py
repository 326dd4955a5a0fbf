"""An interpreter for tests, in the form of Python's embeddable archive, of parts that PyPI has.

python.org cannot be reached from everywhere where tests run. The wheels of panda3d for Windows carry the libraries of
CPython as the Python Software Foundation signs them; the modules of the standard library are those of the Python that
runs the tests. What is missing is not for a product: the archive says so, and nothing publishable is built from it.
"""

import re
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

from deploy.agents import folder as linux
from deploy.agents.windows.folder import SYSTEM
from deploy.agents.windows.inputs import FOR_TESTS

MINOR = sys.version_info[1]
_WHEEL = Path(__file__).with_name("panda3d.txt")
_LIBRARIES = {f"python3{MINOR}.dll", "libffi-8.dll", "libcrypto-3.dll", "libssl-3.dll", "vcruntime140.dll"}
# What wine has no system for (_wmi), and what asks for libraries that are left out.
_LEFT_OUT = {"_wmi.pyd", "_tkinter.pyd", "_sqlite3.pyd", "winsound.pyd", "_msi.pyd"}
_NO_MODULES = {"site-packages", "test", "idlelib", "tkinter", "ensurepip", "lib2to3", "turtledemo", "lib-dynload"}


def build(archive: Path) -> None:
    """Write the archive: some seconds, and the package index for the wheel, which a hash pins."""
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as whole:
        wheel = Path(scratch) / "wheel"
        linux.run(
            str(Path(sys.executable).parent / "uv"), "--quiet", "pip", "install", "--target", str(wheel), "--no-deps",
            "--python-version", f"3.{MINOR}", "--python-platform", SYSTEM, "--only-binary", ":all:",
            "--require-hashes", "-r", str(_WHEEL),
        )  # fmt: skip
        for path in sorted((wheel / "deploy_libs").iterdir()):
            if (path.suffix == ".pyd" and path.name not in _LEFT_OUT) or path.name.lower() in _LIBRARIES:
                whole.write(path, path.name)
        forwarding = Path(scratch) / "python3.dll"
        _stable(wheel / "deploy_libs" / f"python3{MINOR}.dll", forwarding)
        whole.write(forwarding, forwarding.name)
        modules = Path(scratch) / f"python3{MINOR}.zip"
        _standard_library(modules)
        whole.write(modules, modules.name)
        whole.writestr("LICENSE.txt", "An interpreter for tests: see tests/windows/interpreter.py.\n")
        whole.writestr(FOR_TESTS, "This interpreter lacks parts, and is for tests alone.\n")


def _standard_library(archive: Path) -> None:
    library = Path(sysconfig.get_path("stdlib"))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as whole:
        for path in sorted(library.rglob("*.py")):
            parts = path.relative_to(library).parts
            if parts[0] not in _NO_MODULES and not parts[0].startswith("config-") and "tests" not in parts:
                whole.write(path, str(path.relative_to(library)))


def _stable(library: Path, place: Path) -> None:
    """python3.dll, by which modules of the stable ABI find the library of any version: it only passes calls on."""
    told = subprocess.run(["x86_64-w64-mingw32-objdump", "-p", library], capture_output=True, text=True, check=True)
    table = told.stdout.split("[Ordinal/Name Pointer] Table", 1)[1]
    names = re.findall(r"^\s*\[\s*\d+\].*?(\w+)$", table, re.MULTILINE)
    described = place.with_suffix(".def")
    lines = [f"  {name} = {library.stem}.{name}" for name in names if name.startswith(("Py", "_Py"))]
    described.write_text("\n".join(["LIBRARY python3.dll", "EXPORTS", *lines, ""]))
    linux.run("x86_64-w64-mingw32-gcc", "-shared", "-nostdlib", "-Wl,-e,0", str(described), "-o", str(place))
