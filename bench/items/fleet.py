"""What a fleet of machines costs the portal while nothing happens: heartbeats, daily reports and renewals."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from strongroom_agent.portal import keys
from strongroom_agent.portal.jws import Signer

from bench.client import Ask
from bench.handles import Signer as Known
from bench.rounds import load, medians
from bench.stage import Estate, Stage
from bench.table import Figure, Limit, Row

MACHINES = 10_000
"""The fleet of the target."""
CORES = 2
DAY = 24 * 60 * 60
VERSIONS: dict[str, object] = {"agent_version": "1.0.0", "engine_version": "0.18.0"}
EACH_DAY = {"heartbeat": 24 * 60, "backup": 1, "restore check": 1, "renewal": 1}
"""How often a machine says each of these in a day: it is alive each minute, and runs and renews daily."""


def rows(stage: Stage) -> Iterator[Row]:
    """The CPU of one message of each kind, of machines in turn, and from it that of the whole fleet.

    Messages are signed before the clock starts: that work is the machines'. Each machine renews once at most, for its
    certificate before is then no longer good for it.
    """
    sizes, fleet = stage.sizes, Fleet(stage.large)
    makers: dict[str, Callable[[Known], Ask]] = {
        "heartbeat": fleet.heartbeat,
        "backup": partial(fleet.report, kind="backup"),
        "restore check": partial(fleet.report, kind="restore_check"),
        "renewal": fleet.renewal,
    }
    bare = load(stage.plain, Ask("/nothing/", status=204))
    turns = [partial(bare.cpu_per_request, sizes.small_requests)]
    turns += [
        partial(fleet.cpu, make, sizes.small_requests if name == "heartbeat" else sizes.requests)
        for name, make in makers.items()
    ]
    fleet.cpu(makers["heartbeat"], sizes.requests)  # to warm up
    plain, *costs = medians(turns, sizes.rounds)
    told = f"{sizes.machines:,} machines"
    for name, cost in zip(makers, costs, strict=True):
        yield Row(f"{name} of a machine, CPU", Figure(cost), Figure(plain, of="bare view, no session"), None, told)
    a_second = sum(cost * EACH_DAY[name] for name, cost in zip(makers, costs, strict=True)) * MACHINES / DAY
    yield Row(
        f"a fleet of {MACHINES:,}, CPU in each second",
        Figure(a_second),
        Figure(float(CORES), of=f"{CORES} cores"),
        Limit(0.25),
        told,
        ("reckoned: " + ", ".join(f"{count:,} × {name}" for name, count in EACH_DAY.items()) + " a machine and day",),
    )


@dataclass
class Fleet:
    """Machines that can speak; each message is the next one's."""

    estate: Estate
    _turn: int = 0

    def cpu(self, make: Callable[[Known], Ask], number: int) -> float:
        """CPU seconds of the site for each of `number` messages."""
        asks = [make(self._next()) for _ in range(number)]
        return load(self.estate.site, *asks).cpu_per_request(number)

    def heartbeat(self, known: Known) -> Ask:
        """It lives."""
        return self._signed("heartbeat", known, VERSIONS)

    def report(self, known: Known, kind: str) -> Ask:
        """A run that went well a moment ago."""
        now = datetime.now(UTC)
        times = {"started_at": (now - timedelta(minutes=4)).isoformat(), "finished_at": now.isoformat()}
        proven = {"compared": 20, "proven": 20, "mismatched": 0} if kind == "restore_check" else {"bytes_added": 10**7}
        figures = {"snapshot": "ab" * 32, "files": 20_000, "bytes": 10**9, **proven}
        fields = {"run": str(uuid.uuid4()), "kind": kind, "outcome": "succeeded", "code": "done", **times, **figures}
        return self._signed("runs", known, fields)

    def renewal(self, known: Known) -> Ask:
        """A certificate for a new key; this machine says nothing more."""
        self.estate.known.signers.remove(known)
        return self._signed("renew", known, {"csr": keys.certificate_request(keys.generate())})

    def _next(self) -> Known:
        self._turn += 1
        return self.estate.known.signers[self._turn % len(self.estate.known.signers)]

    def _signed(self, what: str, known: Known, fields: dict[str, object]) -> Ask:
        path = f"/api/v1/agent/{what}"
        body = Signer(known.private_key, known.chain).sign(f"{self.estate.known.edge_url}{path}", fields)
        return Ask(path, "POST", {"Content-Type": "application/jose"}, body.encode())
