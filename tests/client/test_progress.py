"""What setup tells the portal meanwhile: the newest state, never more than it may, and never to the harm of setup."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from strongroom_agent.core.errors import AgentError, Refused
from strongroom_agent.portal import progress
from strongroom_agent.portal.progress import Teller
from strongroom_agent.proof.watched import Watched

from tests.waiting import wait_for

Message = dict[str, Any]


def eventually(condition: Callable[[], object]) -> None:
    """Wait until it is so."""
    wait_for("a message", condition, seconds=20, pause=0.005)


class Portal:
    """Takes messages; `answer` says what happens to each."""

    def __init__(self, answer: Callable[[int], object] = lambda number: {"noted": True}) -> None:
        self.taken: list[Message] = []
        self._answer = answer

    def __call__(self, message: Message) -> Any:
        """One message."""
        self.taken.append(message)
        answer = self._answer(len(self.taken))
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def told(self) -> list[tuple[str, str]]:
        """Steps and states, in the order in which they came."""
        return [(each["step"], each["state"]) for each in self.taken]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundredths instead of seconds."""
    monkeypatch.setattr(progress, "GAP", 0.02)
    monkeypatch.setattr(progress, "SIGN_OF_LIFE", 0.1)


def test_checks_come_with_the_first_message_and_the_end_with_the_last() -> None:
    portal, teller = Portal(), Teller()
    teller.checked("cache", free=10, needed=1)
    teller.checked("proxy", through_proxy=True)
    teller.tell("storage")
    teller.start(portal)
    eventually(lambda: portal.taken)
    teller.tell("backup", bytes_done=1.9, bytes_total=4, rate=None, seconds_left=1e12)
    teller.ended()
    first, last = portal.taken[0], portal.taken[-1]
    assert first["checks"] == [
        {"step": "cache", "free": 10, "needed": 1},
        {"step": "proxy", "through_proxy": True},
    ]
    assert (first["step"], first["state"], first["number"]) == ("storage", "running", 1)
    assert (last["step"], last["state"]) == ("backup", "done")
    assert [each["number"] for each in portal.taken] == list(range(1, len(portal.taken) + 1))
    assert {each["began_at"] for each in portal.taken} == {first["began_at"]}
    assert all("checks" not in each for each in portal.taken[1:])


def test_a_flood_of_states_is_few_messages_and_the_newest_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "GAP", 0.3)
    portal, teller = Portal(), Teller()
    teller.start(portal)
    began = time.monotonic()
    for number in range(20_000):
        teller.tell("backup", bytes_done=number, bytes_total=20_000)
    passed = time.monotonic() - began
    eventually(lambda: portal.taken and portal.taken[-1].get("bytes_done") == 19_999)
    assert len(portal.taken) <= 2 + passed / 0.3
    teller.ended("disk_full")
    assert (portal.taken[-1]["state"], portal.taken[-1]["code"]) == ("failed", "disk_full")


def test_the_same_is_said_again_as_a_sign_of_life() -> None:
    portal, teller = Portal(), Teller()
    teller.tell("restore", files_total=3)
    teller.start(portal)
    eventually(lambda: len(portal.taken) >= 3)
    assert set(portal.told) == {("restore", "running")}
    teller.ended()


@pytest.mark.parametrize(
    "answer",
    [
        Refused("not_allowed", "No.", "Stop."),
        Refused("throttled", "Later.", ""),
        Refused("not_found", "What?", ""),
        AgentError("clock_skew", "Late.", ""),
        ValueError("a mistake of ours"),
        {"noted": False},
        {},
    ],
)
def test_after_a_refusal_nothing_more_is_said(answer: object) -> None:
    portal, teller = Portal(lambda number: answer), Teller()
    teller.tell("storage")
    teller.start(portal)
    eventually(lambda: not _running(teller))
    for _ in range(5):
        teller.tell("backup", files_done=1)
    teller.ended()
    assert len(portal.taken) == 1


def test_while_the_portal_is_away_messages_are_dropped_and_checks_kept() -> None:
    away = AgentError("network", "Nobody.", "")
    portal = Portal(lambda number: away if number < 3 else {"noted": True})
    teller = Teller()
    teller.checked("program")
    teller.tell("storage")
    teller.start(portal)
    eventually(lambda: len(portal.taken) >= 2)
    teller.tell("backup")
    eventually(lambda: len(portal.taken) >= 4)
    assert [bool(each.get("checks")) for each in portal.taken[:4]] == [True, True, True, False]
    teller.ended()


def test_a_portal_that_hangs_holds_up_nothing() -> None:
    stuck = threading.Event()
    portal, teller = Portal(lambda number: stuck.wait(60) and {"noted": True}), Teller()
    teller.tell("storage")
    teller.start(portal)
    eventually(lambda: portal.taken)
    began = time.monotonic()
    for number in range(1000):
        teller.tell("backup", files_done=number)
    assert time.monotonic() - began < 0.5
    teller.ended()
    assert time.monotonic() - began < progress.LAST + 1
    stuck.set()


def test_nothing_is_said_where_there_was_no_machine() -> None:
    teller = Teller()
    teller.checked("program")
    teller.ended("cache_too_small")
    assert not _running(teller)


def test_a_restore_check_never_tells_more_than_there_is() -> None:
    portal, teller = Portal(), Teller()
    watched = Watched(teller, files=2, bytes=10)
    watched.line('{"message_type":"status","files_restored":9,"bytes_restored":99}')
    watched.line("not JSON")
    watched.line('{"message_type":"summary"}')
    teller.start(portal)
    eventually(lambda: portal.taken)
    assert (portal.taken[0]["files_done"], portal.taken[0]["bytes_done"]) == (2, 10)
    watched.proven(1, 4)
    eventually(lambda: portal.taken[-1]["files_done"] == 1)
    teller.ended()


def _running(teller: Teller) -> bool:
    return teller._thread is not None and teller._thread.is_alive()
