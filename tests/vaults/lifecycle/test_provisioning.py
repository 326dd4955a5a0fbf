"""Making a vault's storage: the steps, troubles, crashes, and another try."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db.models.functions import Now

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import NotAllowed, NotFound, StaleState
from portal.notifications.models import Notification
from portal.notifications.publish import publish
from tests.at_once import at_once
from tests.factories import as_actor
from tests.vaults.factories import again, vault_of
from tests.vaults.rclone_process import NO_SOCKET
from vaults import operations
from vaults.lifecycle import creation, provisioning
from vaults.models import Operation, PairedCopy, Vault
from vaults.regions.storage.base import StorageRefused, StorageUnavailable
from vaults.regions.storage.rclone import RcloneRegion
from vaults.states import OperationState, VaultState

pytestmark = [pytest.mark.usefixtures("storage"), pytest.mark.django_db]
Creating = Callable[..., Operation]
STEPS = [
    "Making the container in Local A",
    "Storing a probe in Local A and reading it back",
    "Making the container in Local B",
    "Storing a probe in Local B and reading it back",
    "Checking the gateway of Local A",
    "Checking the gateway of Local B",
]


class Crash(BaseException):
    """The worker dies here."""


def entry_of(operation: Operation) -> Notification:
    return Notification.objects.get(key=f"vault-create:{operation.vault_id}")


def make_due(operation: Operation) -> None:
    """As if the lease and the wait had run out."""
    past = Now() - timedelta(seconds=1)
    Operation.objects.filter(pk=operation.pk, due_at__isnull=False).update(due_at=past, lease_until=past)


def containers(storage: Path, vault_id: UUID) -> list[str]:
    """The regions that have the vault's container; what is in it must be nothing."""
    found = [slug for slug in ("local-a", "local-b") if (storage / slug / str(vault_id)).is_dir()]
    assert [os.listdir(storage / slug / str(vault_id)) for slug in found] == [[]] * len(found)
    return found


def assert_active_once(operation: Operation, storage: Path) -> None:
    assert (vault_of(operation).state, again(operation.pk).state) == (VaultState.ACTIVE, OperationState.SUCCEEDED)
    assert containers(storage, operation.vault_id) == ["local-a", "local-b"]
    actions = AuditEvent.objects.filter(vault_id=operation.vault_id).values_list("action", flat=True)
    assert list(actions).count("vault:active") == 1


def test_a_geo_redundant_vault_becomes_active(creating: Creating, storage: Path) -> None:
    operation = creating()
    provisioning.run(operation.pk)
    assert_active_once(operation, storage)
    done = again(operation.pk)
    assert (sorted(done.timings), done.steps_done) == (sorted(STEPS), 6)
    assert done.finished_at is not None
    entry = entry_of(operation)
    assert (entry.state, entry.title, entry.progress) == ("succeeded", 'Successfully created vault "Payroll".', 100)
    assert vault_of(operation).activated_at is not None


def test_a_locally_redundant_vault_has_one_container(creating: Creating, storage: Path) -> None:
    operation = creating(redundancy="local")
    provisioning.run(operation.pk)
    assert vault_of(operation).state == VaultState.ACTIVE
    assert containers(storage, operation.vault_id) == ["local-a"]
    assert PairedCopy.objects.count() == 0


def test_people_see_each_step(creating: Creating, faults: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str, int]] = []
    tell = publish

    def noted(key: str, **entry: Any) -> None:
        tell(key, **entry)
        seen.append((entry["title"], entry["step"], entry["progress"]))

    operation = creating()
    faults.setattr("portal.notifications.publish.publish", noted)
    provisioning.run(operation.pk)
    shown = [('Creating vault "Payroll"', step, round(100 * number / 6)) for number, step in enumerate(STEPS)]
    assert seen == [*shown, ('Successfully created vault "Payroll".', "", 0)]


def test_a_second_message_for_the_same_work_changes_nothing(creating: Creating, storage: Path) -> None:
    operation = creating()
    provisioning.run(operation.pk)
    provisioning.run(operation.pk)
    assert_active_once(operation, storage)


def test_a_message_for_work_that_is_not_there_changes_nothing() -> None:
    provisioning.run(uuid4())


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_provision_once(creating: Creating, storage: Path) -> None:
    operation = creating()
    assert at_once([lambda: provisioning.run(operation.pk)] * 4) == [None] * 4
    assert_active_once(operation, storage)
    assert again(operation.pk).attempts == 1


CALLS = ["make_container", "write", "read", "delete", "remove_container"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("call", CALLS)
def test_a_crash_at_any_call_to_storage_is_made_good(
    creating: Creating, storage: Path, faults: pytest.MonkeyPatch, call: str, number: int, after: bool
) -> None:
    operation = creating()
    with faults.context() as faulty:
        _crash_at(faulty, RcloneRegion, call, number, after)
        with pytest.raises(Crash):
            provisioning.run(operation.pk)
    assert vault_of(operation).state == VaultState.CREATING
    provisioning.run(operation.pk)  # while the dead worker's lease lasts
    assert vault_of(operation).state == VaultState.CREATING
    make_due(operation)
    provisioning.run(operation.pk)
    assert_active_once(operation, storage)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(6))
def test_a_crash_at_any_save_of_progress_is_made_good(
    creating: Creating, storage: Path, faults: pytest.MonkeyPatch, number: int, after: bool
) -> None:
    operation = creating()
    with faults.context() as faulty:
        _crash_at(faulty, operations, "_save_progress", number, after)
        with pytest.raises(Crash):
            provisioning.run(operation.pk)
    make_due(operation)
    provisioning.run(operation.pk)
    assert_active_once(operation, storage)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "place", ["portal.audit.transitions.record_transition", "portal.notifications.publish.publish"]
)
def test_a_crash_in_the_last_transaction_is_made_good(
    creating: Creating, storage: Path, faults: pytest.MonkeyPatch, place: str, after: bool
) -> None:
    operation = creating()
    with faults.context() as faulty:
        module, _, name = place.rpartition(".")
        _crash_at(faulty, __import__(module, fromlist=[name]), name, 6 if "publish" in place else 0, after)
        with pytest.raises(Crash):
            provisioning.run(operation.pk)
    assert (vault_of(operation).state, again(operation.pk).state) == (VaultState.CREATING, OperationState.RUNNING)
    make_due(operation)
    provisioning.run(operation.pk)
    assert_active_once(operation, storage)


def _crash_at(faulty: pytest.MonkeyPatch, owner: object, name: str, number: int, after: bool) -> None:
    """Have the call `number` of `name` crash, before or after it has done its work."""
    original: Callable[..., Any] = getattr(owner, name)
    calls: list[None] = []

    def crashing(*args: Any, **options: Any) -> Any:
        calls.append(None)
        if len(calls) != number + 1:
            return original(*args, **options)
        if after:
            original(*args, **options)
        raise Crash

    faulty.setattr(owner, name, crashing)


def test_work_that_always_crashes_ends_as_failed(creating: Creating, faults: pytest.MonkeyPatch) -> None:
    operation = creating()

    def crash(*args: object) -> None:
        raise Crash

    faults.setattr(RcloneRegion, "write", crash)
    for _ in range(operations.MAX_ATTEMPTS):
        with pytest.raises(Crash):
            provisioning.run(operation.pk)
        make_due(operation)
    provisioning.run(operation.pk)
    vault = vault_of(operation)
    assert (vault.state, again(operation.pk).state) == (VaultState.FAILED, OperationState.FAILED)
    assert vault.state_reason.startswith("The operation was interrupted 5 times.")


@pytest.fixture
def away(faults: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Storage that does not answer; `undo()` brings it back."""

    def silent(*args: object) -> None:
        raise StorageUnavailable("Local A is not responding.")

    faults.setattr(RcloneRegion, "write", silent)
    return faults


def test_a_trouble_that_passes_is_tried_again_later(
    creating: Creating, storage: Path, away: pytest.MonkeyPatch
) -> None:
    operation = creating()
    provisioning.run(operation.pk)
    waiting, entry = again(operation.pk), entry_of(operation)
    assert (waiting.state, waiting.attempts, waiting.lease_token, waiting.steps_done) == ("running", 1, None, 1)
    why = "Local A is not responding. Trying again (1 of 5)."
    assert (entry.state, entry.step, waiting.step, vault_of(operation).state_reason) == ("running", why, why, why)
    provisioning.run(operation.pk)  # not due yet
    assert again(operation.pk).attempts == 1
    away.undo()
    make_due(operation)
    provisioning.run(operation.pk)
    assert_active_once(operation, storage)
    assert vault_of(operation).state_reason == ""


def test_after_the_last_attempt_the_vault_is_failed_and_says_why(creating: Creating, away: pytest.MonkeyPatch) -> None:
    operation = creating()
    for _ in range(operations.MAX_ATTEMPTS):
        provisioning.run(operation.pk)
        make_due(operation)
    vault, entry = vault_of(operation), entry_of(operation)
    reason = "Local A is not responding. Press Retry once the cause is resolved, or tell an administrator."
    assert (vault.state, vault.state_reason, again(operation.pk).reason) == (VaultState.FAILED, reason, reason)
    assert (entry.state, entry.title, entry.step) == ("failed", 'Could not create vault "Payroll".', reason)


def test_a_trouble_that_lasts_fails_at_once(creating: Creating, faults: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise StorageRefused("Local A has no space left.")

    faults.setattr(RcloneRegion, "write", full)
    operation = creating()
    provisioning.run(operation.pk)
    assert vault_of(operation).state_reason.startswith("Local A has no space left. ")
    assert again(operation.pk).attempts == 1


def test_data_that_comes_back_changed_is_a_trouble(creating: Creating, faults: pytest.MonkeyPatch) -> None:
    faults.setattr(RcloneRegion, "read", lambda self, path: b"something else")
    operation = creating()
    provisioning.run(operation.pk)
    assert entry_of(operation).step.startswith("Local A returned other data than was stored.")


@NO_SOCKET
def test_a_gateway_that_does_not_answer_is_a_trouble(creating: Creating, settings: Any, tmp_path: Path) -> None:
    settings.GATEWAY_SOCKET = str(tmp_path / "{region}")
    operation = creating()
    provisioning.run(operation.pk)
    assert entry_of(operation).step.startswith("The gateway of Local A is not responding.")
    assert vault_of(operation).state == VaultState.CREATING


def test_a_worker_whose_lease_was_taken_stops_without_a_trace(
    creating: Creating, storage: Path, faults: pytest.MonkeyPatch
) -> None:
    operation = creating()
    write = RcloneRegion.write

    def slow(self: RcloneRegion, path: str, data: bytes) -> None:
        faults.undo()
        make_due(operation)
        provisioning.run(operation.pk)  # another worker does all of it meanwhile
        write(self, path, data)

    faults.setattr(RcloneRegion, "write", slow)
    provisioning.run(operation.pk)
    assert_active_once(operation, storage)
    assert entry_of(operation).state == "succeeded"


@pytest.fixture
def failed(creating: Creating, away: pytest.MonkeyPatch) -> Operation:
    operation = creating()
    Operation.objects.update(attempts=operations.MAX_ATTEMPTS - 1)
    provisioning.run(operation.pk)
    away.undo()
    return operation


def test_retry_makes_a_failed_vault_active(failed: Operation, storage: Path, requester: Actor) -> None:
    vault = creation.retry(failed.vault_id, actor=requester)
    assert (vault.state, vault.state_reason) == (VaultState.CREATING, "")
    assert (again(failed.pk).attempts, again(failed.pk).reason, entry_of(failed).state) == (0, "", "running")
    provisioning.run(failed.pk)
    assert_active_once(failed, storage)


def test_retry_shuts_out_an_old_worker(failed: Operation, requester: Actor) -> None:
    creation.retry(failed.vault_id, actor=requester)
    old = again(failed.pk).lease_token
    assert old is not None
    provisioning.run(failed.pk)
    assert again(failed.pk).lease_token != old


@pytest.mark.parametrize("state", [state for state in VaultState if state != VaultState.FAILED])
def test_only_failed_vaults_are_tried_again(failed: Operation, requester: Actor, state: str) -> None:
    Vault.objects.update(state=state)
    with pytest.raises(StaleState):
        creation.retry(failed.vault_id, actor=requester)


def test_only_members_try_again(failed: Operation, outsider: User, approver: User) -> None:
    for user, error in ((outsider, NotFound), (approver, NotAllowed)):
        with pytest.raises(error):
            creation.retry(failed.vault_id, actor=as_actor(user))


@pytest.mark.django_db(transaction=True)
def test_of_two_retries_at_once_one_wins(failed: Operation, requester: Actor) -> None:
    outcomes = at_once([lambda: creation.retry(failed.vault_id, actor=requester)] * 2)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["StaleState", "Vault"]
