"""Both sides of a backup: the real agent through the portal's edge, and restic alone on a local folder."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from strongroom_agent.restic import engine

from bench.portal import Portal
from bench.programs import Broken

FOLDERS = 100


@dataclass(frozen=True)
class Tree:
    """Files that both sides back up; `renew` gives them new contents, so that nothing is stored already."""

    folder: Path
    files: int
    size: int  # bytes in all

    def renew(self) -> None:
        """Write every file anew, with bytes that do not compress."""
        each = self.size // self.files
        for number in range(self.files):
            place = self.folder / f"{number % FOLDERS:03d}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number:06d}.bin").write_bytes(os.urandom(each))


@dataclass(frozen=True)
class Ours:
    """The real agent, registered in a vault of the portal."""

    folder: Path
    env: dict[str, str]

    def __call__(self, *arguments: str | Path) -> None:
        """Run a command of the agent; raises Broken when it fails."""
        agent = str(Path(sys.executable).parent / "strongroom-agent")
        _run([agent, *map(str, arguments), "--json"], self.env)

    def backup(self) -> None:
        """All that the machine protects."""
        self("backup")

    def restore(self, target: Path) -> None:
        """The newest snapshot."""
        self("restore", "--target", target)


@dataclass(frozen=True)
class Theirs:
    """restic on a folder: the same program that the agent runs."""

    folder: Path
    tree: Path

    def __call__(self, *arguments: str | Path) -> None:
        """Run a command of restic; raises Broken when it fails."""
        repository = ["--repo", str(self.folder / "repository")]
        repository += ["--cache-dir", str(self.folder / "cache")]
        env = {**os.environ, "RESTIC_PASSWORD": "correct horse battery"}
        _run([engine.find().program, *repository, *map(str, arguments)], env)

    def backup(self) -> None:
        """The same files."""
        self("backup", self.tree)

    def restore(self, target: Path) -> None:
        """The newest snapshot, with the proof of its content that the agent owes."""
        self("restore", "latest", "--verify", "--target", target)


@dataclass(frozen=True)
class Cost:
    """What one run of a side took: on the clock, and CPU (user plus system) of its own processes, both in seconds."""

    wall: float
    cpu: float


def machine(portal: Portal, folder: Path, tree: Tree) -> Ours:
    """Register a machine, with one small file to begin with."""
    tree.folder.mkdir(parents=True)
    (tree.folder / "first.txt").write_text("The first backup of all.\n")
    vault = portal.new_vault(f"bench-{folder.name}")
    credential = portal.person("staff").post(f"vaults/{vault}/credentials", {"machines": 1})
    (folder / "bench.VaultCredentials").write_text(json.dumps(credential))
    (folder / "cache").mkdir()
    ours = Ours(folder, {**os.environ, "STRONGROOM_AGENT_HOME": str(folder / "home")})
    ours(
        *(
            "setup",
            "--unattended",
            "--no-schedule",
            "--no-link",
            "--credentials",
            folder / "bench.VaultCredentials",
            "--name",
            "bench",
        ),
        *("--install-dir", folder / "install", "--cache-dir", folder / "cache", "--protect", tree.folder),
        *("--generate-passphrase", "--save-passphrase-to", folder / "passphrase.txt"),
    )
    return ours


def plain_folder(folder: Path, tree: Tree) -> Theirs:
    """A new repository of restic's in `folder`."""
    theirs = Theirs(folder / "local", tree.folder)
    theirs.folder.mkdir()
    theirs("init")
    return theirs


def timed(act: Callable[[], None]) -> Cost:
    """What it costs; processes that go on afterwards are not counted."""
    began, before = time.monotonic(), _cpu_of_ended()
    act()
    return Cost(time.monotonic() - began, _cpu_of_ended() - before)


def _cpu_of_ended() -> float:
    """CPU seconds of all processes that were started from here and have ended; the portal has not."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(words: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Broken(f"{' '.join(words[:3])} ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}")


def listed(seconds: list[float]) -> str:
    """Each of them, for a note."""
    return ", ".join(f"{each:.2f} s" for each in seconds)
