"""The notification area's poll when nothing has changed."""

from collections.abc import Iterator
from dataclasses import replace

from bench.client import Ask, Unexpected
from bench.items.lists import bare_table
from bench.rounds import Load, cpu_medians
from bench.stage import Stage
from bench.table import Figure, Limit, Row


def rows(stage: Stage) -> Iterator[Row]:
    """A 304 for each of the viewers in turn."""
    sizes, site = stage.sizes, stage.large.site
    first = [_poll(cookie) for cookie in stage.large.known.viewers]
    polls = []
    for ask in first:
        tag = site.send(ask).headers["ETag"]
        if tag is None:
            raise Unexpected("the notification area has no ETag")
        polls.append(replace(ask, headers={**ask.headers, "If-None-Match": tag}, status=304))
    requests = max(sizes.requests, len(polls))
    bare, cpu = cpu_medians([bare_table(stage), Load(site, polls)], sizes.rounds, requests)
    size = f"{sizes.viewers} viewers"
    yield Row("notification poll, 304, CPU", Figure(cpu), Figure(bare, of="bare view"), Limit(0.3), size)


def _poll(cookie: str) -> Ask:
    return Ask("/notifications/area/", headers={"Cookie": cookie, "HX-Request": "true", "HX-Target": "notifications"})
