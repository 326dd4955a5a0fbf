"""The sweep: finds what the broker lost."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.approvals.policy import OPEN_FOR
from portal.approvals.states import RequestState
from portal.health import heartbeats
from tests.vaults.factories import Ask, operation_of
from vaults import copy_schedule, tasks
from vaults.models import Operation, PairedCopy, Region, Vault, VaultRequest

Sent = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def work(make_vault: Callable[..., Vault], regions: tuple[Region, Region]) -> tuple[Operation, PairedCopy]:
    """An operation and a copy of one vault, neither of them due."""
    vault = make_vault()
    operation = operation_of(vault)
    return operation, copy_schedule.create(vault)


@pytest.fixture
def sweep(django_capture_on_commit_callbacks: Callable[..., Any]) -> Callable[[], None]:
    def run() -> None:
        with django_capture_on_commit_callbacks(execute=True):
            tasks.sweep()

    return run


def set_all(**columns: object) -> None:
    Operation.objects.update(**columns)
    PairedCopy.objects.update(**columns)


def test_nothing_due_sends_nothing(work: object, sweep: Callable[[], None], no_broker: Sent) -> None:
    sweep()
    set_all(due_at=Now() + timedelta(minutes=1))
    sweep()
    assert no_broker == []


def test_what_is_due_is_sent_again(
    work: tuple[Operation, PairedCopy], sweep: Callable[[], None], no_broker: Sent
) -> None:
    set_all(due_at=Now() - timedelta(seconds=1))
    sweep()
    operation, copy = work
    assert no_broker == [("vaults.run_operation", (str(operation.pk),)), ("vaults.copy_vault", (copy.pk,))]


def test_what_a_worker_holds_is_left_to_it(work: object, sweep: Callable[[], None], no_broker: Sent) -> None:
    set_all(due_at=Now() - timedelta(seconds=1), lease_until=Now() + timedelta(seconds=30))
    sweep()
    assert no_broker == []


def test_what_a_dead_worker_held_is_sent_again(work: object, sweep: Callable[[], None], no_broker: Sent) -> None:
    set_all(due_at=Now() - timedelta(seconds=90), lease_until=Now() - timedelta(seconds=1))
    sweep()
    assert [task for task, _ in no_broker] == ["vaults.run_operation", "vaults.copy_vault"]


def test_it_expires_old_requests_and_says_that_it_ran(ask: Ask, sweep: Callable[[], None]) -> None:
    request = ask()
    VaultRequest.objects.update(requested_at=timezone.now() - OPEN_FOR - timedelta(minutes=1))
    assert heartbeats.age("sweep") is None
    sweep()
    assert VaultRequest.objects.get(pk=request.pk).state == RequestState.EXPIRED
    age = heartbeats.age("sweep")
    assert age is not None
    assert age < timedelta(seconds=30)


def test_its_questions_do_not_grow_with_the_work(make_vault: Callable[..., Vault], regions: object) -> None:
    def questions(vaults: int) -> int:
        for _ in range(vaults):
            vault = make_vault()
            operation_of(vault, due_at=Now())
            copy_schedule.create(vault)
        PairedCopy.objects.update(due_at=Now() - timedelta(seconds=1))
        with CaptureQueriesContext(connection) as asked:
            tasks.sweep()
        return len(asked)

    tasks.sweep()  # the first one adds the row that the others change
    assert questions(vaults=2) == questions(vaults=20)
