"""Redundancy: free until the first machine registers, locked afterwards, and the work that a change means."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.utils import timezone

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import Invalid, NotAllowed, NotFound, RedundancyLocked, StaleState
from portal.notifications.models import Notification
from tests.at_once import at_once
from tests.factories import as_actor
from tests.rows import now
from vaults import operations
from vaults.lifecycle import creation, provisioning, redundancy
from vaults.models import Operation, PairedCopy, Region, Vault
from vaults.regions.storage.base import StorageRefused
from vaults.regions.storage.rclone import RcloneRegion
from vaults.replication import copier
from vaults.states import OperationState, VaultState

REGISTERED = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


@pytest.fixture
def local(make_vault: Callable[..., Vault], regions: tuple[Region, Region]) -> Vault:
    return make_vault(redundancy="local")


def register(vault: Vault, name: str = "hr-db-02") -> bool:
    """What the first registration does to the vault's row; whether it was the one that locked it."""
    open_rows = Vault.objects.filter(pk=vault.pk, redundancy_locked_at__isnull=True)
    return bool(open_rows.update(redundancy_locked_at=REGISTERED, redundancy_locked_by=name))


def run_all() -> list[tuple[str, str]]:
    """Run what is due; gives kind and state of all operations, oldest first."""
    for operation_id in operations.overdue(10):
        provisioning.run(operation_id)
    return list(Operation.objects.order_by("started_at").values_list("kind", "state"))


def test_a_change_takes_effect_at_once_and_the_work_is_visible(local: Vault, requester: Actor) -> None:
    vault = redundancy.change(local.pk, actor=requester, redundancy="geo")
    assert (vault.redundancy, now(local).redundancy) == ("geo", "geo")
    assert now(local).redundancy_confirmed_at is not None
    operation = Operation.objects.get()
    assert (operation.kind, operation.state) == ("make-copy", "running")
    entry = Notification.objects.get()
    assert (entry.title, entry.state) == ('Making the copy of vault "Payroll"', "running")
    event = AuditEvent.objects.get(action="vault:redundancy")
    assert event.detail == {"from": "local", "to": "geo"}


def test_the_copy_is_made_and_ended(local: Vault, requester: Actor, storage: Path) -> None:
    container = storage / "local-b" / str(local.pk)
    redundancy.change(local.pk, actor=requester, redundancy="geo")
    assert run_all() == [("make-copy", "succeeded")]
    copier.run(PairedCopy.objects.get().pk)
    assert PairedCopy.objects.get().complete_as_of is not None
    assert container.is_dir()
    redundancy.change(local.pk, actor=requester, redundancy="local")
    assert run_all() == [("make-copy", "succeeded"), ("end-copy", "succeeded")]
    assert (PairedCopy.objects.count(), container.exists()) == (0, False)
    titles = set(Notification.objects.values_list("title", "state"))
    assert titles == {
        ('Vault "Payroll" is now copied to the paired region.', "succeeded"),
        ('The copy of vault "Payroll" in the paired region has ended.', "succeeded"),
    }


def test_a_quick_change_back_overtakes_the_work(local: Vault, requester: Actor, storage: Path) -> None:
    for choice in ("geo", "local", "geo"):
        redundancy.change(local.pk, actor=requester, redundancy=choice)
    assert Operation.objects.filter(state=OperationState.RUNNING).count() == 1
    assert run_all() == [("make-copy", "failed"), ("end-copy", "failed"), ("make-copy", "succeeded")]
    reasons = list(Operation.objects.order_by("started_at").values_list("reason", flat=True))
    assert reasons[:2] == [
        "Superseded by a later change: the vault is locally redundant now.",
        "Superseded by a later change: the vault is geo-redundant now.",
    ]
    assert list(Notification.objects.values_list("state", flat=True)) == ["succeeded"]
    assert PairedCopy.objects.count() == 1


def test_a_worker_that_was_overtaken_stops_without_a_trace(
    local: Vault, requester: Actor, storage: Path, faults: pytest.MonkeyPatch
) -> None:
    make_container = RcloneRegion.make_container

    def slow(self: RcloneRegion, path: str) -> None:
        faults.undo()
        redundancy.change(local.pk, actor=requester, redundancy="local")
        make_container(self, path)

    redundancy.change(local.pk, actor=requester, redundancy="geo")
    faults.setattr(RcloneRegion, "make_container", slow)
    assert run_all() == [("make-copy", "failed"), ("end-copy", "running")]
    assert run_all() == [("make-copy", "failed"), ("end-copy", "succeeded")]
    assert not (storage / "local-b" / str(local.pk)).exists()


def broken(*args: object) -> None:
    raise StorageRefused("Local B has no space left.")


def told() -> tuple[str, str, str]:
    """The one notification: title, state, text."""
    entry = Notification.objects.get()
    return entry.title, entry.state, entry.step


def test_a_copy_that_could_not_be_made_is_made_by_retry_also_when_locked(
    local: Vault, requester: Actor, storage: Path, faults: pytest.MonkeyPatch
) -> None:
    faults.setattr(RcloneRegion, "write", broken)
    redundancy.change(local.pk, actor=requester, redundancy="geo")
    assert run_all() == [("make-copy", "failed")]
    assert told() == (
        'Could not make the copy of vault "Payroll".',
        "failed",
        "Local B has no space left. Press Retry once the cause is resolved, or tell an administrator.",
    )
    assert (now(local).state, now(local).redundancy) == (VaultState.ACTIVE, "geo")
    faults.undo()
    assert register(local)
    creation.retry(local.pk, actor=requester)
    assert told() == ('Making the copy of vault "Payroll"', "running", "Waiting for a worker")
    assert run_all() == [("make-copy", "succeeded")]
    copier.run(PairedCopy.objects.get().pk)
    assert PairedCopy.objects.get().complete_as_of is not None
    assert (storage / "local-b" / str(local.pk)).is_dir()


def test_a_copy_that_could_not_be_ended_is_ended_by_retry_also_when_locked(
    local: Vault, requester: Actor, storage: Path, faults: pytest.MonkeyPatch
) -> None:
    redundancy.change(local.pk, actor=requester, redundancy="geo")
    run_all()
    faults.setattr(RcloneRegion, "remove_container", broken)
    redundancy.change(local.pk, actor=requester, redundancy="local")
    assert run_all() == [("make-copy", "succeeded"), ("end-copy", "failed")]
    faults.undo()
    assert register(local)
    creation.retry(local.pk, actor=requester)
    assert run_all() == [("make-copy", "succeeded"), ("end-copy", "succeeded")]
    assert (PairedCopy.objects.count(), (storage / "local-b" / str(local.pk)).exists()) == (0, False)


def test_ending_a_copy_takes_along_the_probe_that_a_failure_left(
    local: Vault, requester: Actor, storage: Path, faults: pytest.MonkeyPatch
) -> None:
    faults.setattr(RcloneRegion, "delete", broken)
    redundancy.change(local.pk, actor=requester, redundancy="geo")
    assert run_all() == [("make-copy", "failed")]
    faults.undo()
    redundancy.change(local.pk, actor=requester, redundancy="local")
    assert run_all() == [("make-copy", "failed"), ("end-copy", "succeeded")]
    assert not (storage / "local-b" / str(local.pk)).exists()


def test_only_the_latest_work_is_tried_again_and_only_after_it_failed(local: Vault, requester: Actor) -> None:
    with pytest.raises(StaleState):
        creation.retry(local.pk, actor=requester)
    for choice in ("geo", "local"):
        redundancy.change(local.pk, actor=requester, redundancy=choice)
    with pytest.raises(StaleState):
        creation.retry(local.pk, actor=requester)
    states = Operation.objects.order_by("started_at").values_list("kind", "state")
    assert list(states) == [("make-copy", "failed"), ("end-copy", "running")]


@pytest.mark.parametrize("state", ["Creating", "Removing", "Removed"])
def test_work_on_a_vault_in_another_state_is_not_tried_again(local: Vault, requester: Actor, state: str) -> None:
    redundancy.change(local.pk, actor=requester, redundancy="geo")
    Operation.objects.update(state=OperationState.FAILED)
    Vault.objects.update(state=state)
    with pytest.raises(StaleState):
        creation.retry(local.pk, actor=requester)
    assert Operation.objects.get().state == OperationState.FAILED


def test_choosing_what_is_set_confirms_it(local: Vault, requester: Actor) -> None:
    redundancy.change(local.pk, actor=requester, redundancy="local")
    assert now(local).redundancy_confirmed_at is not None
    assert Operation.objects.count() == 0


def test_confirming(local: Vault, requester: Actor) -> None:
    first = redundancy.confirm(local.pk, actor=requester)
    second = redundancy.confirm(local.pk, actor=requester)
    assert first.redundancy_confirmed_at == second.redundancy_confirmed_at is not None
    assert AuditEvent.objects.filter(action="vault:confirm-redundancy").count() == 1


def test_a_registered_machine_locks_it(local: Vault, requester: Actor) -> None:
    assert register(local)
    for choice in ("geo", "local"):
        with pytest.raises(RedundancyLocked) as refused:
            redundancy.change(local.pk, actor=requester, redundancy=choice)
    assert refused.value.message == (
        "The redundancy of Payroll has been locked since hr-db-02 registered on 22 Nov 2026, 10:30 UTC."
    )
    assert redundancy.confirm(local.pk, actor=requester).redundancy_confirmed_at is None
    assert (now(local).redundancy, Operation.objects.count()) == ("local", 0)


@pytest.mark.parametrize("state", [state for state in VaultState if state != VaultState.ACTIVE])
def test_only_active_vaults_change(local: Vault, requester: Actor, state: str) -> None:
    Vault.objects.update(state=state)
    with pytest.raises(StaleState):
        redundancy.change(local.pk, actor=requester, redundancy="geo")
    with pytest.raises(StaleState):
        redundancy.confirm(local.pk, actor=requester)
    assert now(local).redundancy == "local"


def test_what_cannot_be_chosen(local: Vault, requester: Actor) -> None:
    alone = Region.objects.create(slug="alone", name="Alone")
    with pytest.raises(Invalid):
        redundancy.change(local.pk, actor=requester, redundancy="both")
    Region.objects.filter(slug="local-b").update(enabled=False)
    for region in (local.region, alone):
        Vault.objects.update(region=region)
        with pytest.raises(Invalid) as refused:
            redundancy.change(local.pk, actor=requester, redundancy="geo")
        assert list(refused.value.errors) == ["redundancy"]
    assert (now(local).redundancy, Operation.objects.count()) == ("local", 0)


def test_a_copy_goes_on_in_a_pair_that_is_closed(local: Vault, requester: Actor, storage: Path) -> None:
    redundancy.change(local.pk, actor=requester, redundancy="geo")
    run_all()
    Region.objects.update(enabled=False)
    redundancy.change(local.pk, actor=requester, redundancy="geo")
    copier.run(PairedCopy.objects.get().pk)
    assert PairedCopy.objects.get().complete_as_of is not None


def test_only_members_choose(local: Vault, outsider: User, approver: User) -> None:
    for user, error in ((outsider, NotFound), (approver, NotAllowed)):
        with pytest.raises(error):
            redundancy.change(local.pk, actor=as_actor(user), redundancy="geo")
        with pytest.raises(error):
            redundancy.confirm(local.pk, actor=as_actor(user))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(5))
def test_of_a_change_and_a_registration_at_once_one_is_first(local: Vault, requester: Actor, round_: int) -> None:
    changed, locked = at_once(
        [
            lambda: redundancy.change(local.pk, actor=requester, redundancy="geo"),
            lambda: register(local),
        ]
    )
    vault = now(local)
    assert locked is True
    assert vault.redundancy_locked
    if isinstance(changed, Vault):  # it was first: the machine found a geo-redundant vault
        assert (vault.redundancy, Operation.objects.count()) == ("geo", 1)
    else:
        assert isinstance(changed, RedundancyLocked)
        assert (vault.redundancy, Operation.objects.count(), PairedCopy.objects.count()) == ("local", 0, 0)


@pytest.mark.django_db(transaction=True)
def test_many_changes_at_once_leave_one_piece_of_work(local: Vault, requester: Actor) -> None:
    choices = ["geo", "local", "geo", "local", "geo", "local"]

    def choosing(choice: str) -> Callable[[], Vault]:
        return lambda: redundancy.change(local.pk, actor=requester, redundancy=choice)

    outcomes = at_once([choosing(choice) for choice in choices])
    assert [type(outcome) for outcome in outcomes] == [Vault] * 6
    running = Operation.objects.filter(state=OperationState.RUNNING)
    expected = "make-copy" if now(local).redundancy == "geo" else "end-copy"
    assert list(running.values_list("kind", flat=True)) in ([expected], [])
    assert (timezone.now() - now(local).updated_at).total_seconds() < 60


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(5))
def test_of_a_retry_and_a_change_at_once_the_change_has_the_last_word(
    local: Vault, requester: Actor, round_: int
) -> None:
    redundancy.change(local.pk, actor=requester, redundancy="geo")
    Operation.objects.update(state=OperationState.FAILED, due_at=None)
    retried, changed = at_once(
        [
            lambda: creation.retry(local.pk, actor=requester),
            lambda: redundancy.change(local.pk, actor=requester, redundancy="local"),
        ]
    )
    assert isinstance(changed, Vault)
    assert isinstance(retried, (Vault, StaleState))
    running = Operation.objects.filter(state=OperationState.RUNNING)
    assert list(running.values_list("kind", flat=True)) == ["end-copy"]
