"""Backup and restore through the edge, in turns with restic on a local folder."""

import shutil
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bench import measure
from bench.portal import Portal
from bench.programs import Broken
from bench.sides import Cost, Ours, Theirs, Tree, listed, machine, plain_folder, timed
from bench.stage import Stage
from bench.table import Figure, Limit, Row

LIMIT = Limit(0.9, least=True)
PARTS = {"edge": "caddy", "relay": "deploy.runner.gateway", "gateway": "serve restic", "gate and web": "runner.web"}


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
    ours, theirs = machine(stage.portal, folder, tree), plain_folder(folder, tree)
    costs: dict[str, list[Cost]] = {"backup ours": [], "backup theirs": [], "restore ours": [], "restore theirs": []}
    spent = {"backup": Spent(stage.portal), "restore": Spent(stage.portal)}
    for number in range(sizes.backup_rounds):
        tree.renew()
        sides: list[tuple[str, Ours | Theirs]] = [("ours", ours), ("theirs", theirs)]
        for name, side in sides if number % 2 == 0 else sides[::-1]:
            with spent["backup"]:
                costs[f"backup {name}"].append(timed(side.backup))
        for name, side in sides if number % 2 == 0 else sides[::-1]:
            with spent["restore"]:
                costs[f"restore {name}"].append(_restored(side, folder / "target", tree))
    unchanged = {name: timed(side.backup) for name, side in (("ours", ours), ("theirs", theirs))}
    told = f"{sizes.backup_bytes / 1e6:,.0f} MB, {sizes.backup_files:,} files, median of {sizes.backup_rounds}"
    for what in ("backup", "restore"):
        walls = {side: [cost.wall for cost in costs[f"{what} {side}"]] for side in ("ours", "theirs")}
        rates = [sizes.backup_bytes / statistics.median(walls[side]) for side in ("ours", "theirs")]
        of = Figure(rates[1], "B/s", "restic, local folder")
        notes = [f"{side}: {listed(walls[side])}" for side in ("ours", "theirs")]
        cpu = {side: statistics.median(cost.cpu for cost in costs[f"{what} {side}"]) for side in ("ours", "theirs")}
        notes.append(f"CPU on the machine: ours {cpu['ours']:.2f} s, theirs {cpu['theirs']:.2f} s")
        notes.append(f"CPU of the portal's parts for each of ours: {spent[what].each(sizes.backup_rounds)}")
        if what == "backup":
            notes.append(
                f"with nothing new: ours {unchanged['ours'].wall:.2f} s, theirs {unchanged['theirs'].wall:.2f} s"
            )
        yield Row(f"{what} through the edge", Figure(rates[0], "B/s"), of, LIMIT, told, tuple(notes))


def _restored(side: Ours | Theirs, target: Path, tree: Tree) -> Cost:
    """A restore, whose result is looked at and thrown away."""
    target.mkdir()
    try:
        cost = timed(lambda: side.restore(target))
        found = [path.stat().st_size for path in target.rglob("*.bin")]
        if len(found) != tree.files or sum(found) != tree.size // tree.files * tree.files:
            raise Broken(f"{len(found)} files of {sum(found)} bytes came back")
        return cost
    finally:
        shutil.rmtree(target)
