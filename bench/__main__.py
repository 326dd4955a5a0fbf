"""`python -m bench [item …]`: measure, print the table. QUICK=1 in the environment: the short form.

Ends with 0 when everything could be measured, whether or not the targets hold, and with 1 when something broke.
"""

import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from bench import databases
from bench.items import (
    approvals,
    audit,
    backups,
    credentials,
    downloads,
    fleet,
    footprint,
    gateway,
    lists,
    nightly,
    notices,
    onboarding,
    pages,
    sightings,
    starts,
)
from bench.sizes import FULL, QUICK, Sizes
from bench.stage import Stage
from bench.table import Row, rendered

ITEMS: Mapping[str, Callable[[Stage], Iterable[Row]]] = {
    "lists": lists.rows,
    "pages": pages.rows,
    "audit": audit.rows,
    "notices": notices.rows,
    "credentials": credentials.rows,
    "gateway": gateway.rows,
    "fleet": fleet.rows,
    "footprint": footprint.rows,
    "approvals": approvals.rows,
    "sightings": sightings.rows,
    "downloads": downloads.rows,
    "backups": backups.rows,
    "nightly": nightly.rows,
    "starts": starts.rows,
    "onboarding": onboarding.rows,
}


def main(wanted: list[str]) -> int:
    """Measure the wanted items (none named: all), print the table and what broke."""
    if unknown := [name for name in wanted if name not in ITEMS]:
        print(f"There is no item {', '.join(unknown)}. There are: {', '.join(ITEMS)}.", file=sys.stderr)
        return 2
    sizes = QUICK if os.environ.get("QUICK", "") not in {"", "0"} else FULL
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sb-") as folder, Stage(sizes, Path(folder), _say) as stage:
        rows, broken = _measured(stage, wanted or list(ITEMS))
    print(_introduction(sizes, time.monotonic() - began), rendered(rows), sep="\n\n")
    missed = sum(row.holds is False for row in rows)
    print(
        f"\n{missed} of {len(rows)} rows miss their target. {len(broken)} items broke{': ' if broken else '.'}", *broken
    )
    return 1 if broken else 0


def _measured(stage: Stage, wanted: list[str]) -> tuple[list[Row], list[str]]:
    """The rows, and the names of the items that could not be measured to their end."""
    rows: list[Row] = []
    broken: list[str] = []
    for name in wanted:
        began = time.monotonic()
        _say(name)
        try:
            rows.extend(ITEMS[name](stage))
        except Exception:  # noqa: BLE001 - one item that breaks must not hide the others; it is told, and the run fails
            broken.append(name)
            traceback.print_exc()
        _say(f"{name}: {time.monotonic() - began:.0f} s")
    return rows, broken


def _say(what: str) -> None:
    """Progress goes to standard error; the table alone to standard output."""
    print(f"bench: {what}", file=sys.stderr, flush=True)


def _introduction(sizes: Sizes, seconds: float) -> str:
    short = "" if sizes is FULL else " QUICK: smaller than the targets' sizes, so what holds here is a hint, no proof."
    return (
        f"Strongroom bench on {databases.engine()}, Python {platform.python_version()}, {os.cpu_count()} cores,"
        f" {seconds:.0f} s. Medians of {sizes.rounds} rounds (CPU) or as told.{short}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
