"""How long a start takes."""

import statistics
import time
from collections.abc import Iterator

from bench import databases, measure, programs
from bench.portal import portal
from bench.stage import Stage
from bench.table import Figure, Limit, Row


def rows(stage: Stage) -> Iterator[Row]:
    """Migrations from empty, and starts on a data folder that is there already."""
    number = stage.sizes.starts
    migrations = statistics.median(_migration(stage, index) for index in range(number))
    yield Row("migrations from empty", Figure(migrations), None, Limit(10, unit="s"), f"median of {number}")
    with databases.fresh("starts") as database:
        (first, _), *later = [_start(stage, database) for _ in range(number + 1)]
    yield Row("first start to ready", Figure(first), None, None, "packages installed, data folder empty")
    seconds = statistics.median(took for took, _ in later)
    note = f"{Figure(statistics.median(cpu for _, cpu in later))} of CPU in all processes until ready"
    yield Row("second start to ready", Figure(seconds), None, Limit(8, unit="s"), f"median of {number}", (note,))


def _migration(stage: Stage, index: int) -> float:
    data = stage.folder / f"m{index}"
    data.mkdir()
    with databases.fresh(f"migrations{index}") as database:
        env = programs.environment(data, **database)
        began = time.monotonic()
        programs.run(programs.python("manage.py", "migrate", "--verbosity", "0"), env)
        return time.monotonic() - began


def _start(stage: Stage, database: dict[str, str]) -> tuple[float, float]:
    """Seconds to ready, and CPU seconds until then."""
    with portal(stage.folder / "s", database) as started:
        return started.start_seconds, measure.cpu_seconds(started.pids())
