"""A machine to be protected: a home of its own for the real agent, and files that are awkward to back up."""

import json
import os
import random
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
AGENT = ROOT / ".venv" / "bin" / "strongroom-agent"
LIMIT = 300  # seconds for one run of the agent
ALONE = {"STRONGROOM_SETUP_NO_SCHEDULE": "yes", "STRONGROOM_SETUP_NO_LINK": "yes"}
"""The environment of a setup that leaves the computer it is tried on as it is, where a test has no say in its flags."""


@dataclass
class Machine:
    """One machine: its agent's home, its cache, its passphrase and what it protects, below `folder`."""

    name: str
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """Where the agent keeps its state and keys."""
        return self.folder / "home"

    @property
    def files(self) -> Path:
        """What is protected."""
        return self.folder / "files"

    def agent(self, *arguments: str | Path, status: int = 0) -> dict[str, Any]:
        """Run the agent with --json, expect `status`, and return its one object."""
        environment = {**os.environ, "STRONGROOM_AGENT_HOME": str(self.home), **self.environment}
        done = subprocess.run(
            [str(AGENT), *map(str, arguments), "--json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == status, f"{arguments} ended with {done.returncode}: {done.stdout}\n{done.stderr}"
        answer: dict[str, Any] = json.loads(done.stdout)
        assert answer["ok"] is (status == 0)
        return answer

    def setup(self, credentials: Path, *more: str | Path, status: int = 0) -> dict[str, Any]:
        """`setup --unattended` with a generated passphrase, protecting `files`."""
        return self.agent(
            *("setup", "--unattended", "--credentials", credentials, "--name", self.name),
            *("--install-dir", self.folder / "install", "--cache-dir", self.folder / "cache"),
            *("--protect", self.files, "--generate-passphrase", "--no-schedule", "--no-link"),
            *("--save-passphrase-to", self.folder / f"passphrase-{len(list(self.folder.glob('passphrase-*')))}.txt"),
            *more,
            status=status,
        )


def make_machine(folder: Path, name: str, *, files: int, megabytes: int, seed: int = 1) -> Machine:
    """A machine with `files` files of at least `megabytes` MB: large, small, empty, nested, oddly named, linked."""
    machine = Machine(name, folder / name)
    machine.files.mkdir(parents=True)
    (machine.folder / "cache").mkdir()
    source = random.Random(seed)  # noqa: S311 - contents of files, repeatable
    large = max(1, files // 10)
    for number in range(files):
        place = machine.files / f"folder {number % 7}" / ("Zahlenwerk-Ä" if number % 3 else "plain")
        place.mkdir(parents=True, exist_ok=True)
        size = megabytes * 1_000_000 // large + 1 if number < large else source.choice([0, 1, 17, 4096, 20_000])
        (place / f"file {number}’s \u00e4.bin").write_bytes(source.randbytes(size))
    (machine.files / "a link").symlink_to("folder 0")
    (machine.files / "empty folder").mkdir()
    return machine


def contents(folder: Path) -> dict[str, bytes | str]:
    """Every file's bytes, every link's target and every folder below `folder`, by relative path."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"link to {os.readlink(path)}"
        else:
            found[name] = "folder" if path.is_dir() else path.read_bytes()
    return found


def restored(target: Path, original: Path) -> Path:
    """Where restic has put `original` below the restore target: under its full path."""
    return target / original.relative_to("/")
