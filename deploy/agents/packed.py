"""The folder as what people download: .deb, .rpm and a plain archive."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from strongroom_agent import __version__

from deploy.agents import compiled
from deploy.agents.folder import about, settle

HERE = Path(__file__).parent
FORMATS = ("deb", "rpm", "archive")
_INSTALLED_BY = {"deb": "apt", "rpm": "dnf", "archive": ""}
_SUFFIX = {"deb": "deb", "rpm": "rpm", "archive": "tar.gz"}
_WORD = re.compile(r"%\{([a-z]+)\}")


def pack(folder: Path, output: Path, version: str = __version__) -> dict[str, Path]:
    """The packages by their format, in the folder `output`. The same folder gives the same bytes.

    `version` differs from the agent's only where a test wants an upgrade.
    """
    made = {}
    for name in FORMATS:
        path = output / f"strongroom-agent-{version}-{platform.machine()}.{_SUFFIX[name]}"
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch) / "strongroom-agent"
            shutil.copytree(folder, tree, symlinks=True)
            about(tree, _INSTALLED_BY[name])
            settle(tree)
            _archive(tree, path) if name == "archive" else _nfpm(name, tree, path, version)
        made[name] = path
    return made


def _archive(tree: Path, path: Path) -> None:
    """A folder `strongroom-agent`, all of it root's; gzip says no name and no time."""
    same = ["--sort=name", "--owner=root:0", "--group=root:0", "--numeric-owner", f"--mtime=@{compiled.SECONDS}"]
    tar = ["tar", "--create", "--format=gnu", *same, "-C", str(tree.parent), tree.name]
    gzip = ["gzip", "-9n"]
    with path.open("wb") as file, subprocess.Popen(tar, stdout=subprocess.PIPE) as writing:
        subprocess.run(gzip, stdin=writing.stdout, stdout=file, check=True)
    if writing.returncode:
        raise subprocess.CalledProcessError(writing.returncode, tar)


def _nfpm(name: str, tree: Path, path: Path, version: str) -> None:
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    words = {
        "arch": architecture,
        "version": version,
        "time": datetime.fromtimestamp(int(compiled.SECONDS), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "folder": str(tree),
        "preremove": str(HERE / "preremove.sh"),
    }
    described = tree.with_name("nfpm.yaml")
    described.write_text(_WORD.sub(lambda found: words[found[1]], (HERE / "nfpm.yaml.in").read_text()))
    program = str(Path(sys.executable).parent / "nfpm")
    made = [program, "package", "--config", str(described), "--packager", name, "--target", str(path)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": compiled.SECONDS}
    done = subprocess.run(made, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"nfpm: {(done.stdout + done.stderr).strip()[-2000:]}")
