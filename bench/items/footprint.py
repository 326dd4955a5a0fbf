"""Memory of a portal that nobody uses."""

import time
from collections.abc import Iterator

from bench import measure
from bench.stage import Stage
from bench.table import Figure, Limit, Row

LARGEST = 16


def rows(stage: Stage) -> Iterator[Row]:
    """The proportional set size of all processes, and of the largest."""
    portal = stage.portal
    time.sleep(stage.sizes.idle_seconds)
    pids = portal.pids()
    largest = sorted(((measure.memory_bytes([pid]), measure.name(pid)) for pid in pids), reverse=True)[:LARGEST]
    yield Row(
        "idle footprint, PSS",
        Figure(measure.memory_bytes(pids), "B"),
        None,
        Limit(400 * 2**20, unit="B"),
        f"{len(pids)} processes",
        tuple(f"{Figure(size, 'B')} {name}" for size, name in largest),
    )
