"""Backup and restore through the edge, in turns with restic on a local folder."""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from strongroom_agent.restic import engine

from bench import measure
from bench.portal import Portal
from bench.programs import Broken
from bench.stage import Stage
from bench.table import Figure, Limit, Row

LIMIT = Limit(0.9, least=True)
FOLDERS = 100
PARTS = {"edge": "caddy", "relay": "deploy.runner.gateway", "gateway": "serve restic", "gate and web": "runner.web"}


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


class Spent:
    """CPU seconds that each part of the portal uses within the `with` blocks. Those with restic alone add next to
    nothing."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._before: dict[int, float] = {}
        self._by_part: defaultdict[str, float] = defaultdict(float)

    def __enter__(self) -> None:
        self._before = {pid: measure.cpu_seconds([pid]) for pid in self._portal.pids()}

    def __exit__(self, *exc_info: object) -> None:
        for pid, before in self._before.items():
            name = measure.name(pid)
            part = next((word for word, sign in PARTS.items() if sign in name), "others")
            self._by_part[part] += measure.cpu_seconds([pid]) - before

    def each(self, rounds: int) -> str:
        """For one of the rounds, the most expensive part first."""
        most_first = sorted(self._by_part.items(), key=lambda item: -item[1])
        return ", ".join(f"{part} {seconds / rounds:.2f} s" for part, seconds in most_first)


def rows(stage: Stage) -> Iterator[Row]:
    """Rates of whole runs: of the agent, with all it does around restic, and of restic alone.

    Both sides have the same cores, and ours has the portal beside it on them. So what the machine itself spends is
    told too: that is what is left where the portal is another computer.
    """
    sizes = stage.sizes
    folder = stage.folder / "backups"
    tree = Tree(folder / "files", sizes.backup_files, sizes.backup_bytes)
    ours, theirs = _machine(stage.portal, folder, tree), _folder(folder, tree)
    costs: dict[str, list[Cost]] = {"backup ours": [], "backup theirs": [], "restore ours": [], "restore theirs": []}
    spent = {"backup": Spent(stage.portal), "restore": Spent(stage.portal)}
    for number in range(sizes.backup_rounds):
        tree.renew()
        sides: list[tuple[str, Ours | Theirs]] = [("ours", ours), ("theirs", theirs)]
        for name, side in sides if number % 2 == 0 else sides[::-1]:
            with spent["backup"]:
                costs[f"backup {name}"].append(_timed(side.backup))
        for name, side in sides if number % 2 == 0 else sides[::-1]:
            with spent["restore"]:
                costs[f"restore {name}"].append(_restored(side, folder / "target", tree))
    unchanged = {name: _timed(side.backup) for name, side in (("ours", ours), ("theirs", theirs))}
    told = f"{sizes.backup_bytes / 1e6:,.0f} MB, {sizes.backup_files:,} files, median of {sizes.backup_rounds}"
    for what in ("backup", "restore"):
        walls = {side: [cost.wall for cost in costs[f"{what} {side}"]] for side in ("ours", "theirs")}
        rates = [sizes.backup_bytes / statistics.median(walls[side]) for side in ("ours", "theirs")]
        of = Figure(rates[1], "B/s", "restic, local folder")
        notes = [f"{side}: {_listed(walls[side])}" for side in ("ours", "theirs")]
        cpu = {side: statistics.median(cost.cpu for cost in costs[f"{what} {side}"]) for side in ("ours", "theirs")}
        notes.append(f"CPU on the machine: ours {cpu['ours']:.2f} s, theirs {cpu['theirs']:.2f} s")
        notes.append(f"CPU of the portal's parts for each of ours: {spent[what].each(sizes.backup_rounds)}")
        if what == "backup":
            notes.append(
                f"with nothing new: ours {unchanged['ours'].wall:.2f} s, theirs {unchanged['theirs'].wall:.2f} s"
            )
        yield Row(f"{what} through the edge", Figure(rates[0], "B/s"), of, LIMIT, told, tuple(notes))


def _machine(portal: Portal, folder: Path, tree: Tree) -> Ours:
    """Register a machine, with one small file to begin with."""
    tree.folder.mkdir(parents=True)
    (tree.folder / "first.txt").write_text("The first backup of all.\n")
    vault = portal.new_vault("bench-backups")
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


def _folder(folder: Path, tree: Tree) -> Theirs:
    theirs = Theirs(folder / "local", tree.folder)
    theirs.folder.mkdir()
    theirs("init")
    return theirs


def _restored(side: Ours | Theirs, target: Path, tree: Tree) -> Cost:
    """A restore, whose result is looked at and thrown away."""
    target.mkdir()
    try:
        cost = _timed(lambda: side.restore(target))
        found = [path.stat().st_size for path in target.rglob("*.bin")]
        if len(found) != tree.files or sum(found) != tree.size // tree.files * tree.files:
            raise Broken(f"{len(found)} files of {sum(found)} bytes came back")
        return cost
    finally:
        shutil.rmtree(target)


def _timed(act: Callable[[], None]) -> Cost:
    began, before = time.monotonic(), _cpu_of_ended()
    act()
    return Cost(time.monotonic() - began, _cpu_of_ended() - before)


def _cpu_of_ended() -> float:
    """CPU seconds of all processes that were started from here and have ended; the portal has not."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _listed(seconds: list[float]) -> str:
    return ", ".join(f"{each:.2f} s" for each in seconds)


def _run(words: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Broken(f"{' '.join(words[:3])} ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}")
