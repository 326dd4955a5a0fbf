"""The agent as it comes in an archive: a folder with an interpreter of its own, of any version, made in a second.

The libraries are those that the tests run with; all else is as in the packages of `make agents`.
"""

import io
import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

CLIENT = Path(__file__).resolve().parents[3] / "agents" / "client"


def folder(place: Path, version: str, keys: str | None, installed_by: str = "") -> Path:
    """Make the folder `place`, with the agent in it as `version`, which believes releases signed with `keys`."""
    venv.EnvBuilder(symlinks=False, with_pip=False).create(place / "python")
    library = place / "python" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (library / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    package = library / "strongroom_agent"
    shutil.copytree(CLIENT / "strongroom_agent", package, ignore=shutil.ignore_patterns("__pycache__"))
    start = package / "__init__.py"
    start.write_text(start.read_text().replace('__version__ = "1.0.0"', f'__version__ = "{version}"'))
    if keys is not None:
        (package / "update" / "keys.json").write_text(keys)
    builder = [sys.executable, str(CLIENT / "build_package.py"), "--start-of-folder", str(place / "strongroom-agent")]
    subprocess.run(builder, check=True)
    about = {"version": version, "architecture": "x86_64", "installed_by": installed_by}
    (place / "about.json").write_text(json.dumps(about))
    return place


def archive(tree: Path) -> bytes:
    """The folder as the archive of a release."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as tar:
        tar.add(tree, "strongroom-agent")
    return content.getvalue()
