"""`make test`: every check that CI runs, one after the other, with the time that each takes.

`python -m tests.suite [PART …]` runs only the parts named. All parts run, also after one has failed.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests import browser, postgres

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTEST = ["-m", "pytest", "-q"]
COVERED = ROOT / ".covered"
"""A folder with a file for each part that measures which branches its tests take."""

LEAST_COVERED = 95  # per cent of lines and branches
SIDE_BY_SIDE = ["-n", "2"]  # as many as there are cores: a third reads all tests once more, and has nowhere to run
# More than there are cores: tests wait, for a portal to be ready or for the end of a time limit.
REAL_PARTS = ["-n", "4"]
# The tests of a file stay together, since they share the real parts that they have started; folders with the longest
# come first, so that none of them is begun when all others have ended.
BY_FILE = ["--dist", "loadfile", "--no-loadscope-reorder"]
LONGEST = ("faults", "e2e", "run")
DEBIAN = {
    "chromium-headless-shell": browser.NAMES,
    "restic": ("restic",),
    "nftables": ("nft",),
    "iproute2": ("ip",),
}
"""Packages, and the programs one of which each is for."""

SITE = Path("build/site")
# Each warning is an error, of which all are shown: links and anchors that lead nowhere, pages that no list has.
SPHINX = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "--keep-going", "-c", "docs"]

LINT = (
    [str(BIN / "ruff"), "check"],
    [str(BIN / "ruff"), "format", "--check"],
    [str(BIN / "mypy"), "."],
    [str(BIN / "lint-imports")],
    [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
)


def lint() -> bool:
    """Style, types, import order, migrations that are missing."""
    results = [run(command) for command in LINT]
    return all(results)


def docs() -> bool:
    """The documentation's site, from nothing: a second build says nothing of pages that are as before."""
    shutil.rmtree(ROOT / SITE, ignore_errors=True)
    built = run([*SPHINX, ".", str(SITE)])
    if built:
        _say(f"The documentation begins with {SITE / 'docs' / 'index.html'}")
    return built


def units() -> bool:
    """Tests without other processes, on SQLite."""
    return _pytest("not system", [*_measured("units"), *SIDE_BY_SIDE])


def units_on_postgresql() -> bool:
    """Those of them that use the database, on PostgreSQL."""
    with postgres.cluster() as url:
        return _pytest("not system and database", [*PYTEST, *SIDE_BY_SIDE], DATABASE_URL=url)


def system() -> bool:
    """Tests with real parts: portal, broker, worker, edge, storage, browser, restic."""
    return _pytest("system", [*_measured("system"), *REAL_PARTS, *BY_FILE, *_files_with_system_tests()])


def _files_with_system_tests() -> list[str]:
    """No others are named, since each of the processes would read and rewrite all two hundred of them."""

    def rank(path: Path) -> tuple[int, str]:
        folder = path.parts[1]
        return LONGEST.index(folder) if folder in LONGEST else len(LONGEST), str(path)

    files = (path for path in (ROOT / "tests").rglob("test_*.py") if "mark.system" in path.read_text())
    return [str(path) for path in sorted((path.relative_to(ROOT) for path in files), key=rank)]


def coverage() -> bool:
    """Lines and branches that the tests took, in their own processes: pytest's, not those of a portal they start."""
    measured = sorted(map(str, COVERED.glob("*.json")))
    both = ["--merge", *measured, "--out", str(COVERED / "all"), "--fail-under", str(LEAST_COVERED)]
    return run([sys.executable, "-m", "slipcover", *both])


def _measured(part: str) -> list[str]:
    COVERED.mkdir(exist_ok=True)
    return ["-m", "slipcover", "--dont-wrap-pytest", "--json", "--out", str(COVERED / f"{part}.json"), *PYTEST]


PARTS: dict[str, Callable[[], bool]] = {
    "lint": lint,
    "docs": docs,
    "units": units,
    "postgresql": units_on_postgresql,
    "system": system,
    "coverage": coverage,
}
WITHOUT_PACKAGES = {"lint", "docs", "units"}
"""Parts that need no more than `.venv`."""


def main(names: Sequence[str]) -> int:
    """Run the parts; 0 when all of them are green."""
    if unknown := set(names) - set(PARTS):
        return _refuse(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}.")
    wanted = list(names) or list(PARTS)
    shutil.rmtree(COVERED, ignore_errors=True)
    real = set(wanted) - WITHOUT_PACKAGES
    missing = _missing() if real else []
    if missing and not installed(missing):
        return _refuse(f"packages are missing. Install them with:  apt-get install -y {' '.join(missing)}")
    if real and not run([sys.executable, "-m", "deploy.engine"]):
        return _refuse("there is no recent restic; the reasons stand above.")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each of hundreds of processes would compile all that it imports
    results = [(name, *_timed(PARTS[name])) for name in wanted]
    for name, green, seconds in results:
        _say(f"{name:<12} {'green' if green else 'RED':<6} {seconds:7.1f} s")
    return 0 if all(green for _, green, _ in results) else 1


def _missing() -> list[str]:
    search = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    missing = [
        package for package, programs in DEBIAN.items() if not any(shutil.which(each, path=search) for each in programs)
    ]
    try:
        postgres.programs()
    except postgres.NoPostgres:
        missing.append("postgresql")
    return missing


def installed(packages: Sequence[str]) -> bool:
    """Install the packages when we may; False when we may not, or when it does not work."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    return run(["apt-get", "update", "-qq"], **environment) and run(install, **environment)


def _timed(part: Callable[[], bool]) -> tuple[bool, float]:
    began = time.monotonic()
    return part(), time.monotonic() - began


def _pytest(marks: str, how: Sequence[str], **environment: str) -> bool:
    if not os.environ.get("STRONGROOM_LONG"):
        marks = f"{marks} and not long"
    return run([sys.executable, *how, "-m", marks], **environment)


def run(command: Sequence[str], **environment: str) -> bool:
    """Run a command in the project's folder, said aloud; whether it ended well."""
    _say(f"\n$ {' '.join(command)}")
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode == 0


def _refuse(text: str) -> int:
    sys.stderr.write(f"The tests cannot run: {text}\n")
    return 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
