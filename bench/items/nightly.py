"""What a night costs in which nothing has changed: the backup of many small files, in turns with restic alone."""

from collections.abc import Iterator
from statistics import median

from bench.sides import Cost, Ours, Theirs, Tree, listed, machine, plain_folder, timed
from bench.stage import Stage
from bench.table import Figure, Limit, Row

LIMIT = Limit(1.3)


def rows(stage: Stage) -> Iterator[Row]:
    """Whole runs, of the agent with all that it does around restic, and of restic; both look at every file again.

    The restore check that a scheduled run adds is told below the table: restic alone proves nothing.
    """
    sizes = stage.sizes
    folder = stage.folder / "nightly"
    tree = Tree(folder / "files", sizes.nightly_files, sizes.nightly_bytes)
    ours, theirs = machine(stage.portal, folder, tree), plain_folder(folder, tree)
    tree.renew()
    for side in (ours, theirs):
        side.backup()
    costs: dict[str, list[Cost]] = {"ours": [], "theirs": []}
    for number in range(sizes.backup_rounds):
        sides: list[tuple[str, Ours | Theirs]] = [("ours", ours), ("theirs", theirs)]
        for name, each in sides if number % 2 == 0 else sides[::-1]:
            costs[name].append(timed(each.backup))
    checked = timed(lambda: ours("check"))
    notes = [f"{name}: {listed([cost.wall for cost in some])}" for name, some in costs.items()]
    notes.append(f"a check of all that is stored, with a restore check: {checked.wall:.2f} s")
    yield Row(
        "nightly run with nothing new",
        Figure(median(cost.wall for cost in costs["ours"])),
        Figure(median(cost.wall for cost in costs["theirs"]), of="restic, local folder"),
        LIMIT,
        f"{sizes.nightly_files:,} files, {sizes.nightly_bytes / 1e6:,.0f} MB, median of {sizes.backup_rounds}",
        tuple(notes),
    )
