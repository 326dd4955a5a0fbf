"""Homes that take their time to be made, as cloud services do: another kind of home, with nothing else changed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from portal.accounts.models import User
from portal.core.actor import Actor
from portal.notifications.models import Notification
from tests.portal.pages import window
from tests.vaults.factories import again, vault_of
from vaults import operations
from vaults.lifecycle import creation, provisioning, redundancy
from vaults.models import Operation, Region, Vault
from vaults.regions import provider
from vaults.regions.provider import Home, Memory, Step, Wait
from vaults.regions.storage.base import StorageUnavailable
from vaults.states import OperationState, VaultState

pytestmark = pytest.mark.django_db
Creating = Callable[..., Operation]
ORDERING, OPENING = "Ordering an account in Local A", "Opening the account in Local A"


@dataclass
class Cloud:
    """Takes orders for accounts, one for each name, and makes them when it likes."""

    orders: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    ready: bool = False
    open: bool = True
    trouble: str = ""

    def steps_to_make(self, home: Home) -> list[Step]:
        def order(memory: Memory) -> Wait | None:
            if "order" not in memory:
                memory["order"] = f"order for {home.vault}"
                self.orders.append(memory["order"])
            if self.trouble:
                raise StorageUnavailable(self.trouble)
            return None if self.ready else Wait(15, at_most=timedelta(hours=1))

        def open_it(memory: Memory) -> Wait | None:
            memory["account"] = f"account of {home.vault}"
            if not self.open:
                return Wait(15, at_most=timedelta(hours=1))
            self.opened.append(memory["order"])
            return None

        return [
            Step(f"Ordering an account in {home.region}", home.region, order),
            Step(f"Opening the account in {home.region}", home.region, open_it),
        ]

    def steps_to_check(self, home: Home) -> list[Step]:
        return []

    def steps_to_end(self, home: Home) -> list[Step]:
        return [Step("Cancelling", home.region, lambda memory: self.cancelled.append(memory["order"]))]


@pytest.fixture
def cloud(regions: tuple[Region, Region], monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The kind of home that Local A has now."""
    made = Cloud()
    monkeypatch.setitem(provider._providers, "cloud", made)
    Region.objects.filter(slug="local-a").update(provider="cloud")
    return made


@pytest.fixture
def ordered(cloud: Cloud, creating: Creating) -> Operation:
    """A vault whose account was ordered, and is not there yet."""
    operation = creating(redundancy="local")
    provisioning.run(operation.pk)
    return again(operation.pk)


def time_passes(operation: Operation) -> None:
    """Until it is due again."""
    Operation.objects.filter(pk=operation.pk).update(due_at=Now() - timedelta(seconds=1))


def test_it_waits_without_holding_a_worker(ordered: Operation, cloud: Cloud) -> None:
    assert (ordered.state, ordered.step, ordered.steps_done) == (OperationState.RUNNING, ORDERING, 0)
    assert (ordered.lease_token, ordered.attempts) == (None, 0)
    assert ordered.memory == {"local-a": {"order": "order for Payroll"}}
    assert ordered.due_at is not None
    assert 10 < (ordered.due_at - timezone.now()).total_seconds() <= 15
    provisioning.run(ordered.pk)  # not due: whoever comes too early changes nothing
    assert again(ordered.pk).due_at == ordered.due_at


def test_it_may_wait_more_often_than_there_are_attempts(ordered: Operation, cloud: Cloud) -> None:
    for _ in range(operations.MAX_ATTEMPTS + 3):
        time_passes(ordered)
        provisioning.run(ordered.pk)
    assert (again(ordered.pk).state, again(ordered.pk).attempts) == (OperationState.RUNNING, 0)
    cloud.ready = True
    time_passes(ordered)
    provisioning.run(ordered.pk)
    done = again(ordered.pk)
    assert (vault_of(done).state, done.state, done.steps_done) == (VaultState.ACTIVE, OperationState.SUCCEEDED, 2)
    assert (cloud.orders, cloud.opened) == (["order for Payroll"], ["order for Payroll"])
    assert set(done.timings) == {ORDERING, OPENING}
    assert Notification.objects.get(key=f"vault-create:{done.vault_id}").state == "succeeded"


def test_a_trouble_costs_an_attempt_and_forgets_nothing(cloud: Cloud, creating: Creating) -> None:
    operation = creating(redundancy="local")
    cloud.trouble = "The cloud is not responding."
    for attempts in (1, 2):
        time_passes(operation)
        provisioning.run(operation.pk)
        assert (again(operation.pk).attempts, cloud.orders) == (attempts, ["order for Payroll"])
    assert vault_of(operation).state_reason == "The cloud is not responding. Trying again (2 of 5)."
    cloud.trouble = ""
    time_passes(operation)
    provisioning.run(operation.pk)
    assert (again(operation.pk).attempts, vault_of(operation).state_reason) == (2, "")


def test_a_trouble_while_it_waits_does_not_begin_the_wait_anew(ordered: Operation, cloud: Cloud) -> None:
    cloud.trouble = "The cloud is not responding."
    time_passes(ordered)
    provisioning.run(ordered.pk)
    assert (again(ordered.pk).attempts, again(ordered.pk).waiting_since) == (1, ordered.waiting_since)
    cloud.trouble, cloud.ready = "", True
    time_passes(ordered)
    provisioning.run(ordered.pk)
    assert (vault_of(ordered).state, cloud.orders) == (VaultState.ACTIVE, ["order for Payroll"])


def test_what_never_comes_fails_and_is_ordered_anew_by_retry(
    ordered: Operation, cloud: Cloud, requester: Actor
) -> None:
    Operation.objects.update(waiting_since=timezone.now() - timedelta(minutes=61))
    time_passes(ordered)
    provisioning.run(ordered.pk)
    vault = vault_of(ordered)
    assert vault.state == VaultState.FAILED
    assert vault.state_reason.startswith(f"Local A did not finish this within 60 minutes: {ORDERING}.")
    creation.retry(vault.pk, actor=requester)
    assert (again(ordered.pk).memory, again(ordered.pk).waiting_since) == ({}, None)
    cloud.ready = True
    provisioning.run(ordered.pk)
    assert (vault_of(ordered).state, cloud.orders) == (VaultState.ACTIVE, ["order for Payroll"] * 2)


def test_a_wait_that_has_ended_does_not_count_for_the_next_step(ordered: Operation, cloud: Cloud) -> None:
    long_ago = timezone.now() - timedelta(minutes=59)
    Operation.objects.update(waiting_since=long_ago)
    cloud.ready, cloud.open = True, False
    time_passes(ordered)
    provisioning.run(ordered.pk)
    waits = again(ordered.pk)
    assert (waits.state, waits.step, waits.steps_done) == (OperationState.RUNNING, OPENING, 1)
    assert waits.waiting_since is not None
    assert waits.waiting_since > long_ago + timedelta(minutes=58)


def test_what_the_last_step_remembers_is_stored_too(ordered: Operation, cloud: Cloud) -> None:
    cloud.ready = True
    time_passes(ordered)
    provisioning.run(ordered.pk)
    kept = {"order": "order for Payroll", "account": "account of Payroll"}
    assert (again(ordered.pk).memory, again(ordered.pk).waiting_since) == ({"local-a": kept}, None)


def test_ending_a_copy_that_is_still_being_made_knows_what_was_ordered(
    cloud: Cloud, make_vault: Callable[..., Vault], requester: Actor
) -> None:
    Region.objects.update(provider="cloud")
    vault = make_vault(redundancy="local")
    redundancy.change(vault.pk, actor=requester, redundancy="geo")
    provisioning.run(vault.operations.get().pk)
    redundancy.change(vault.pk, actor=requester, redundancy="local")
    ending = vault.operations.get(state=OperationState.RUNNING)
    provisioning.run(ending.pk)
    assert (cloud.orders, cloud.cancelled) == (["order for Payroll"], ["order for Payroll"])


def test_a_kind_that_is_not_there_any_more_fails_at_once(ordered: Operation, staff: User) -> None:
    Region.objects.update(provider="gone")
    assert window(staff).get(f"/vaults/{ordered.vault_id}/").status_code == 200
    time_passes(ordered)
    provisioning.run(ordered.pk)
    assert vault_of(ordered).state_reason.startswith(
        "Local A is for homes of the kind gone, which this portal does not have."
    )
    assert window(staff).get(f"/vaults/{ordered.vault_id}/").status_code == 200


def test_the_pair_may_be_of_another_kind(cloud: Cloud, creating: Creating, storage: Path) -> None:
    cloud.ready = True
    operation = creating()
    assert provisioning.step_labels(operation) == [
        ORDERING,
        OPENING,
        "Making the container in Local B",
        "Storing a probe in Local B and reading it back",
        "Checking the gateway of Local B",
    ]
    provisioning.run(operation.pk)
    assert vault_of(operation).state == VaultState.ACTIVE
    assert (storage / "local-b" / str(operation.vault_id)).is_dir()
    assert not (storage / "local-a" / str(operation.vault_id)).exists()
