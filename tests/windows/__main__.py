"""`make test-windows`: the installers for Windows under wine, with all that this takes installed first."""

import os
import shutil
import sys

from deploy.agents.windows.__main__ import PROGRAMS
from tests.suite import PYTEST, installed, run

NEEDED = {
    **PROGRAMS,
    "wine": "wine wine64",
    "osslsigncode": "osslsigncode",
    "openssl": "openssl",
    "debootstrap": "debootstrap debian-archive-keyring",
}
"""Programs, and the packages of Debian that have them."""


def main() -> int:
    """Install what is missing, and run the tests; 1 with what to do where that cannot be."""
    search = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    missing = [
        package
        for program, packages in NEEDED.items()
        if not shutil.which(program, path=search)
        for package in packages.split()
    ]
    if os.geteuid() != 0:
        return _refuse("the restic for them is compiled in a bare Debian, which only root makes. Run it as root.")
    if missing and not installed(missing):
        return _refuse(f"packages are missing. Install them with:  apt-get install -y {' '.join(missing)}")
    return 0 if run([sys.executable, *PYTEST, "tests/windows/in_wine.py", *sys.argv[1:]]) else 1


def _refuse(text: str) -> int:
    sys.stderr.write(f"The installers for Windows cannot be tried: {text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
