"""The edge's question about a storage request."""

from collections.abc import Iterator

from bench.client import Ask
from bench.handles import Storage
from bench.rounds import Load, cpu_medians, load
from bench.stage import Stage
from bench.table import Figure, Limit, Row


def rows(stage: Stage) -> Iterator[Row]:
    """A 204 for each of many machines in turn, beside an empty view without middleware."""
    known, sizes = stage.large.known, stage.sizes
    asks = [_question(each, known.edge_secret) for each in known.storage]
    loads = [load(stage.plain, Ask("/nothing/", status=204)), Load(stage.gate, asks)]
    plain, cpu = cpu_medians(loads, sizes.rounds, sizes.small_requests)
    size = f"{sizes.machines:,} machines"
    yield Row("edge decision, CPU", Figure(cpu), Figure(plain, of="bare view, no session"), Limit(4), size)


def _question(each: Storage, secret: str) -> Ask:
    headers = {
        "X-Edge-Secret": secret,
        "X-Client-Serial": str(int(each.serial, 16)),
        "X-Client-Fingerprint": each.fingerprint,
        "X-Forwarded-Method": "GET",
        "X-Forwarded-Uri": each.uri,
    }
    return Ask("/gateway/authorize", headers=headers, status=204)
