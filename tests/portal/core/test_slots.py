"""Slow regions delay no vault: copying, comparing and measuring leave threads of the worker free."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from agents.tasks import measure_usage
from portal.celery import app
from portal.core.slots import THREADS, Slots
from tests.waiting import wait_for
from vaults import tasks


class Hanging:
    """Storage that does not answer until it is told to."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.waiting = 0
        self._lock = threading.Lock()

    def __call__(self, *arguments: object) -> None:
        with self._lock:
            self.waiting += 1
        self.answers.wait(60)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Hanging:
    storage = Hanging()
    for what in ("copier.run", "scrubber.run", "capacity.measure"):
        monkeypatch.setattr(f"vaults.tasks.{what}", storage)
    monkeypatch.setattr("agents.tasks.usage.measure", storage)
    return storage


def test_an_operation_finds_a_thread_while_all_slow_work_hangs(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much of it is sent first, to a pool as the worker has it."""
    done = threading.Event()
    monkeypatch.setattr("vaults.tasks.provisioning.run", lambda operation: done.set())
    kinds: list[Callable[[], None]] = [
        lambda: tasks.copy_vault(1),
        lambda: tasks.scrub_region(1),
        tasks.measure_space,
        measure_usage,
    ]
    with ThreadPoolExecutor(app.conf.worker_concurrency) as pool:
        slow = [pool.submit(task) for _ in range(10) for task in kinds]
        try:
            wait_for("the slots to be taken", lambda: hanging.waiting == 4)
            pool.submit(tasks.run_operation, "0" * 32)
            assert done.wait(10)
            wait_for("all others to have given up", lambda: sum(not one.done() for one in slow) == 4)
        finally:
            hanging.answers.set()
    assert [one.exception() for one in slow] == [None] * 40


def test_the_worker_has_as_many_threads_as_the_slots_reckon_with() -> None:
    assert app.conf.worker_concurrency == THREADS


def test_a_slot_is_free_again_after_a_failure() -> None:
    calls: list[int] = []

    @Slots("trying", 1)
    def fails(number: int) -> None:
        calls.append(number)
        raise OSError("away")

    for number in range(3):
        with pytest.raises(OSError, match="away"):
            fails(number)
    assert calls == [0, 1, 2]
