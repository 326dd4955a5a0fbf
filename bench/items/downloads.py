"""Downloads of the agent: what they cost the edge, and that the web processes have no part in them."""

import http.client
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench import measure
from bench.portal import Portal
from bench.programs import Broken
from bench.rounds import medians
from bench.stage import Stage
from bench.table import Figure, Limit, Row

NAME = "bench-agent.bin"
AT_ONCE = 4
CHUNK = 1 << 20


def rows(stage: Stage) -> Iterator[Row]:
    """CPU of the edge for a GB of packages beside a GB of a plain file; memory of the web processes over it."""
    portal, size = stage.portal, stage.sizes.package_bytes
    block = os.urandom(size)
    for folder in ("agents", "static"):
        (portal.data / folder).mkdir(exist_ok=True)
        (portal.data / folder / NAME).write_bytes(block)
    web = portal.pids_of("runner.web")
    before = measure.memory_bytes(web)
    ours, plain = medians(
        [
            lambda: _cpu_per_gb(portal, f"/agents/files/{NAME}", size),
            lambda: _cpu_per_gb(portal, f"/static/{NAME}", size),
        ],
        stage.sizes.rounds,
    )
    after = measure.memory_bytes(web)
    told = f"{size / 1e6:.0f} MB, {AT_ONCE} at once"
    yield Row(
        "agent download, CPU",
        Figure(ours, "s/GB"),
        Figure(plain, "s/GB", "plain file"),
        Limit(1.1),
        told,
    )
    yield Row("memory of web after the downloads", Figure(after, "B"), Figure(before, "B", "before"), Limit(1.1), told)


def _cpu_per_gb(portal: Portal, path: str, size: int) -> float:
    edge = portal.pids_of("caddy")
    before = measure.cpu_seconds(edge)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        received = list(pool.map(lambda _: _download(portal.port, path), range(AT_ONCE)))
    if received != [size] * AT_ONCE:
        raise Broken(f"{path}: {received} bytes came where {size} were expected")
    return (measure.cpu_seconds(edge) - before) / (AT_ONCE * size / 1e9)


def _download(port: int, path: str) -> int:
    """Fetch and forget; the number of bytes."""
    connection = http.client.HTTPConnection("localhost", port, timeout=120)
    buffer = bytearray(CHUNK)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return sum(iter(lambda: response.readinto(buffer), 0)) if response.status == 200 else -response.status
    finally:
        connection.close()
