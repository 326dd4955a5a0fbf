"""Issuing a credential with the key made by the portal."""

from collections.abc import Iterator

from bench.client import Ask
from bench.rounds import cpu_medians, load
from bench.stage import Stage
from bench.table import Figure, Limit, Row

TOKEN = "b" * 32  # the CSRF cookie that seeding put beside each session


def rows(stage: Stage) -> Iterator[Row]:
    """The API's POST beside a bare one that makes, signs, locks, stores and audits the same."""
    known, sizes = stage.large.known, stage.sizes
    headers = {"Cookie": known.member, "X-CSRFToken": TOKEN, "Content-Type": "application/json"}
    bare = Ask("/post/", "POST", headers, b"{}", contains="BEGIN CERTIFICATE")
    path = f"/api/v1/vaults/{known.vault}/credentials"
    ours = Ask(path, "POST", headers, b'{"machines": 3}', status=201, contains="BEGIN PRIVATE KEY")
    yardstick, cpu = cpu_medians(
        [load(stage.bare, bare), load(stage.large.site, ours)], sizes.rounds, max(60, sizes.requests)
    )
    of = "bare POST that issues"
    size = f"{sizes.vaults:,} vaults"
    yield Row("issue a credential, CPU", Figure(cpu), Figure(yardstick, of=of), Limit(1.5), size)
