"""How often regions are asked, and what is said of where an answer came from."""

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import cast

import pytest
from strongroom_agent.core.errors import AgentError
from strongroom_agent.portal import sources
from strongroom_agent.portal.sources import Read
from strongroom_agent.restic.process import Restic
from strongroom_agent.state.identity import Repository
from strongroom_agent.state.session import Session

A, B = Repository("Local A", "https://a/", False), Repository("Local B", "https://b/", True)
WHOLE = ""
SILENT = "The storage does not answer."
ONE, TWO = "The first tree is damaged.", "The second tree is damaged."


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The regions that were asked, in order."""
    names: list[str] = []

    def attempt(_: Session, repository: Repository, work: Callable[[Restic | None, Repository], str]) -> str:
        names.append(repository.region)
        return work(None, repository)

    monkeypatch.setattr(sources, "candidates", lambda *_: [A, B])
    monkeypatch.setattr(sources, "attempt", attempt)
    return names


def read(of_a: Iterator[str], of_b: Iterator[str]) -> Read[str]:
    """Read, with what each region says at each turn."""

    def work(_: Restic, repository: Repository) -> str:
        said = next(of_a if repository is A else of_b)
        if said:
            raise AgentError("unavailable" if said == SILENT else "repository_damaged", said, "")
        return repository.region

    return sources.read(cast("Session", None), None, work)


def test_a_silent_region_is_asked_once(asked: list[str]) -> None:
    with pytest.raises(AgentError) as raised:
        read(cycle([ONE, TWO]), cycle([SILENT]))
    assert raised.value.problem == ONE
    assert asked == ["Local A", "Local B"]


def test_a_region_that_falls_silent_ends_it(asked: list[str]) -> None:
    with pytest.raises(AgentError) as raised:
        read(cycle([ONE, TWO]), iter([TWO, SILENT]))
    assert raised.value.problem == ONE
    assert asked == ["Local A", "Local B"] * 2


def test_damaged_regions_are_asked_in_turn_as_long_as_that_leads_further(asked: list[str]) -> None:
    found = read(iter([ONE, TWO, WHOLE]), iter([TWO, ONE]))
    assert (found.value, asked) == ("Local A", ["Local A", "Local B", "Local A", "Local B", "Local A"])
    assert found.note == f"{ONE} The list of what there is was put together from what each region still has."
    asked.clear()
    with pytest.raises(AgentError):
        read(cycle([ONE]), cycle([TWO]))
    assert asked == ["Local A", "Local B"] * 2


def test_what_one_region_gives_is_not_put_together(asked: list[str]) -> None:
    found = read(iter([ONE, ONE]), iter([WHOLE]))
    assert (found.value, asked) == ("Local B", ["Local A", "Local B"])
    assert found.note == f"{ONE} Reading from the copy in region Local B instead."
