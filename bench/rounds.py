"""Rounds: things that are compared take turns, so that what disturbs one disturbs the other."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice

from bench.client import Ask
from bench.served import Site


@dataclass(frozen=True)
class Load:
    """Requests to one site, asked in turn; several stand for several people or pages of one kind."""

    site: Site
    asks: Sequence[Ask]

    def cpu_per_request(self, requests: int) -> float:
        """CPU seconds for each of `requests` requests, one after the other."""
        before = self.site.cpu_seconds()
        for ask in islice(cycle(self.asks), requests):
            self.site.send(ask)
        return (self.site.cpu_seconds() - before) / requests


def load(site: Site, *asks: Ask) -> Load:
    """The load of these requests on the site."""
    return Load(site, asks)


def cpu_medians(loads: Sequence[Load], rounds: int, requests: int) -> list[float]:
    """For each load the median over the rounds of CPU seconds for a request, after a warm-up."""
    for each in loads:
        each.cpu_per_request(max(8, requests // 10))
    return medians([partial(each.cpu_per_request, requests) for each in loads], rounds)


def medians(turns: Sequence[Callable[[], float]], rounds: int) -> list[float]:
    """The median result of each function, called in turn; every other round runs backwards."""
    results: list[list[float]] = [[] for _ in turns]
    for number in range(rounds):
        order = range(len(turns)) if number % 2 == 0 else reversed(range(len(turns)))
        for index in order:
            results[index].append(turns[index]())
    return [statistics.median(each) for each in results]
