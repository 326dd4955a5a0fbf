"""Celery: what the scheduler sends exists, and tasks go by the names that the site enqueues."""

import signal

import pytest
from celery.beat import Scheduler

from portal.celery import app
from portal.config.beat_app import Clock
from vaults import copy_schedule, operations


def test_each_scheduled_task_exists() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} - set(app.tasks) == set()
    assert {operations.TASK, copy_schedule.TASK} - set(app.tasks) == set()


def test_tasks_are_called_after_the_app_that_they_live_in() -> None:
    app.loader.import_default_modules()
    homes = {name: task.__module__.split(".")[0] for name, task in app.tasks.items() if not name.startswith("celery.")}
    assert {name: name.split(".")[0] for name in homes} == homes


def test_a_task_is_given_back_when_its_worker_dies() -> None:
    assert (app.conf.task_acks_late, app.conf.task_reject_on_worker_lost) == (True, True)
    assert (app.conf.task_ignore_result, app.conf.accept_content) == (True, ["json"])


def test_a_worker_ends_with_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without one would live on, and nothing would be sent any more."""

    def fail(scheduler: Scheduler) -> float:
        raise RuntimeError("out of order")

    told: list[int] = []
    monkeypatch.setattr(Scheduler, "tick", fail)
    before = signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
    try:
        clock = Clock(app)
        clock.start()
        clock.join(10)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told == [signal.SIGTERM]
