"""What a policy would do, told from rows: the same choice as a retain makes, in a fixed number of queries."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from agents.states import MachineState
from portal.accounts.models import User
from tests.agents.factories import credential_of, machine_in
from tests.factories import vault_in
from tests.vaults.retaining import days_ago, policy, removed, seen
from vaults.models import Credential, Vault
from vaults.retention_policy import preview as previews
from vaults.retention_policy.preview import SHOWN, preview, purgeable_earlier


@pytest.fixture
def credential(vault: Vault, staff: User) -> Credential:
    return credential_of(vault, staff, machines=500)


def test_what_goes_and_what_stays(vault: Vault, credential: Credential, staff: User) -> None:
    one, two = machine_in(vault, credential, "one"), machine_in(vault, credential, "two")
    for day in (5, 10, 25, 40):
        seen(vault, one.pk, days_ago(day))
    for day in (1, 2):
        seen(vault, two.pk, days_ago(day))
    other = vault_in(vault.subscription, vault.region, "Other")
    seen(other, machine_in(other, credential_of(other, staff), "elsewhere").pk, days_ago(400))
    found = preview(vault, policy(vault, keep_within_days=20), at=timezone.now())
    assert [(each.name, each.go, each.stay) for each in found.machines] == [("one", 2, 2), ("two", 0, 2)]
    assert (found.go, found.stay, len(found.losing), found.more) == (2, 4, 1, False)
    oldest = found.machines[0].oldest
    assert oldest is not None
    assert timedelta(days=9) < timezone.now() - oldest < timedelta(days=11)


def test_what_was_deleted_is_not_counted_unless_it_is_there_again(vault: Vault, credential: Credential) -> None:
    machine = machine_in(vault, credential, "one")
    rows = [seen(vault, machine.pk, days_ago(day)) for day in (40, 41, 42)]
    seen(vault, machine.pk, days_ago(1))
    seen(vault, machine.pk, days_ago(90), kind="data")
    removed(rows[0], days_ago(3))
    removed(rows[1], days_ago(3), live_again=True)
    [found] = preview(vault, policy(vault), at=timezone.now()).machines
    assert (found.go, found.stay) == (2, 1)


def test_machines_that_have_left_delete_nothing(vault: Vault, credential: Credential) -> None:
    for state in (MachineState.REVOKED, MachineState.UNREGISTERED):
        machine = machine_in(vault, credential, str(state), state=state)
        for day in (40, 41):
            seen(vault, machine.pk, days_ago(day))
    assert preview(vault, policy(vault), at=timezone.now()).machines == []


def test_a_machine_without_snapshots(vault: Vault, credential: Credential) -> None:
    machine_in(vault, credential, "new")
    [found] = preview(vault, policy(vault), at=timezone.now()).machines
    assert (found.go, found.stay, found.oldest) == (0, 0, None)


def test_the_worst_come_first_few_are_shown_and_the_queries_do_not_grow(
    vault: Vault, credential: Credential, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(SHOWN + 3):
        machine = machine_in(vault, credential, f"m{number:02}")
        for day in range(number % 5 + 2):
            seen(vault, machine.pk, days_ago(40 + day))
    with django_assert_num_queries(3):
        found = preview(vault, policy(vault), at=timezone.now())
    assert len(found.shown) == SHOWN
    assert [each.go for each in found.shown] == sorted((each.go for each in found.machines), reverse=True)[:SHOWN]


def test_more_machines_than_are_looked_at_are_said(
    vault: Vault, credential: Credential, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "MOST", 2)
    for name in ("a", "b", "c"):
        machine_in(vault, credential, name)
    found = preview(vault, policy(vault), at=timezone.now())
    assert ([each.name for each in found.machines], found.more) == (["a", "b"], True)


def test_what_a_shorter_soft_delete_gives_up_at_once(vault: Vault, credential: Credential) -> None:
    Vault.objects.update(soft_delete_days=30)
    vault.refresh_from_db()
    machine = machine_in(vault, credential, "one")
    for day in (5, 16, 20, 31):
        removed(seen(vault, machine.pk, days_ago(90), kind="data"), days_ago(day))
    assert [purgeable_earlier(vault, days, at=timezone.now()) for days in (14, 18, 30, 60)] == [2, 1, 0, 0]
