"""Leases: one worker at a time, by the database's clock."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from portal.core.leases import LeaseLost
from tests.at_once import at_once
from tests.vaults.factories import operation_of
from vaults.models import Operation, Vault


@pytest.fixture
def operation(vault: Vault) -> Operation:
    return operation_of(vault, due_at=Now())


def same(operation: Operation) -> Operation:
    """The row as another worker loads it."""
    return Operation.objects.get(pk=operation.pk)


@pytest.mark.parametrize("due", [None, timedelta(hours=1)])
def test_what_is_not_due_is_not_claimed(operation: Operation, due: timedelta | None) -> None:
    Operation.objects.update(due_at=due and Now() + due)
    assert not same(operation).claim(60)


def test_a_held_row_is_not_claimed_again(operation: Operation) -> None:
    assert same(operation).claim(60)
    assert not same(operation).claim(60)


def test_a_lease_that_ran_out_is_claimed_by_another(operation: Operation) -> None:
    first, second = same(operation), same(operation)
    assert first.claim(60)
    Operation.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert second.claim(60)
    assert second.attempts == 2
    with pytest.raises(LeaseLost):
        first.save_held(step="mine?")
    assert same(operation).step == ""


def test_progress_is_saved_under_the_lease(operation: Operation) -> None:
    operation.claim(60)
    operation.save_held(step="one", steps_done=1)
    assert (same(operation).step, operation.steps_done) == ("one", 1)


def test_without_a_lease_nothing_is_saved(operation: Operation) -> None:
    with pytest.raises(LeaseLost):
        operation.save_held(step="never")


def test_holding_on_moves_the_end(operation: Operation) -> None:
    operation.claim(1)
    before = same(operation).lease_until
    operation.extend(600)
    after = same(operation).lease_until
    assert before is not None
    assert after is not None
    assert after - before > timedelta(seconds=590)


def test_holding_on_fails_for_a_lost_lease(operation: Operation) -> None:
    operation.claim(60)
    Operation.objects.update(lease_token=None)
    with pytest.raises(LeaseLost):
        operation.extend(60)


def test_attempts_stop_counting_at_a_thousand(operation: Operation) -> None:
    Operation.objects.update(attempts=1000)
    operation.claim(60)
    assert operation.attempts == 1000


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_claims(operation: Operation) -> None:
    claim: Callable[[], bool] = lambda: same(operation).claim(60)  # noqa: E731
    assert sorted(str(outcome) for outcome in at_once([claim] * 8)) == ["False"] * 7 + ["True"]
