"""How the rows of the vault list are found: the right ones by either way, and by the indexes made for them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from portal.accounts.models import Subscription, User
from portal.core.paging import page_of
from portal.core.sorting import sorting
from vaults import filters, queries
from vaults.filters import LATE, VaultFilter, is_late
from vaults.models import Vault
from vaults.states import VaultState

MakeVault = Callable[..., Vault]
FILTERS = [VaultFilter(), *(VaultFilter(show=word) for word in filters.CHIPS if word), VaultFilter(text="a")]


@pytest.fixture
def various(make_vault: MakeVault, outsider: User) -> None:
    """Vaults of two subscriptions in all states, with and without machines, backed up at any time or never."""
    now = timezone.now()
    for owner in Subscription.objects.all():
        for number, state in enumerate(VaultState.values):
            for machines in (0, 2):
                for backup in (None, now, now - LATE - timedelta(minutes=1)):
                    make_vault(
                        f"{state}-{number}",
                        subscription=owner,
                        state=state,
                        machine_count=machines,
                        last_backup_at=backup,
                    )


@pytest.mark.parametrize("few", [1, 1_000], ids=["walked", "gathered"])
@pytest.mark.parametrize("chosen", FILTERS, ids=str)
def test_both_ways_find_the_same(
    few: int, chosen: VaultFilter, various: None, staff: User, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = set(chosen.rows(approver))
    monkeypatch.setattr(queries, "FEW", few)
    mine = chosen.rows(staff)
    assert set(mine) == {
        vault for vault in everything if vault.subscription_id == staff.memberships.get().subscription_id
    }
    assert len(mine) == len(everything) / 2 > 0


@pytest.mark.parametrize("few", [1, 1_000], ids=["walked", "gathered"])
def test_outsiders_find_nothing_by_either_way(
    few: int, various: None, administrator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "FEW", few)
    assert [list(chosen.rows(administrator)) for chosen in FILTERS] == [[]] * len(FILTERS)


def test_who_needs_attention_is_the_same_in_rows_and_in_python(various: None, approver: User) -> None:
    expected = {vault for vault in Vault.objects.all() if is_late(vault) or vault.state == VaultState.FAILED}
    assert set(VaultFilter(show="attention").rows(approver)) == expected


def _plan(chosen: VaultFilter, user: User) -> str:
    """How SQLite would find a page."""
    sql, values = chosen.rows(user).order_by("name_key", "id")[:51].query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", values)
        return "\n".join(row[-1] for row in cursor.fetchall())


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL decides by how many rows there are")
def test_pages_follow_the_order_of_an_index(
    staff: User, approver: User, various: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "FEW", 1)
    ordered = [VaultFilter(), VaultFilter(show="active"), VaultFilter(region=1), VaultFilter(subscription=1)]
    plans = [_plan(chosen, user) for chosen in ordered for user in (staff, approver)]
    assert [plan for plan in plans if "TEMP B-TREE" in plan] == []
    attention = _plan(VaultFilter(show="attention"), approver)
    assert (attention.count("vaults_vaul_state"), attention.count("SCAN")) == (3, 0)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL decides by how many rows there are")
def test_no_page_of_few_or_of_one_subscription_reads_all_vaults_of_a_state_or_region(
    staff: User, approver: User, various: None
) -> None:
    one, region = staff.memberships.get().subscription_id, Vault.objects.all()[0].region_id
    of_few = [VaultFilter(show="active"), VaultFilter(region=region), VaultFilter(show="removed", region=region)]
    of_one = [VaultFilter(chosen.show, chosen.region, one) for chosen in of_few]
    plans = [_plan(chosen, staff) for chosen in of_few] + [
        _plan(each, user) for each in of_one for user in (staff, approver)
    ]
    assert [plan for plan in plans if "vault_subscription_name" not in plan] == []
    assert [plan for plan in plans if "vault_state_name" in plan or "vault_region_name" in plan] == []


@pytest.mark.parametrize("few", [1, 1_000], ids=["walked", "gathered"])
@pytest.mark.parametrize("chosen", FILTERS, ids=str)
def test_pages_have_each_row_once_there_and_back_in_every_order(
    few: int, chosen: VaultFilter, various: None, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (queries, filters):
        monkeypatch.setattr(module, "FEW", few)
    for word in (*filters.ORDERS, *(f"-{word}" for word in filters.ORDERS)):
        sorted_by = sorting(filters.ORDERS, word, "name")
        expected = list(chosen.rows(staff).order_by(*sorted_by.order))
        there = [chosen.page(staff, sorted_by, limit=9)]
        while after := there[-1][0].next:
            there.append(chosen.page(staff, sorted_by, after, limit=9))
        assert [vault for page, _ in there for vault in page.items] == expected
        assert {number for _, number in there} == {str(len(expected))}
        back = there[-1:]
        while after := back[-1][0].previous:
            back.append(chosen.page(staff, sorted_by, after, limit=9))
        assert [page.items for page, _ in reversed(back)] == [page.items for page, _ in there]


def test_pages_of_either_way_continue_each_other(
    make_vault: MakeVault, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        make_vault(f"Vault-{number}")
    first = page_of(VaultFilter().rows(staff), "name_key", "id", limit=4)
    monkeypatch.setattr(queries, "FEW", 1)
    rest = page_of(VaultFilter().rows(staff), "name_key", "id", limit=4, after=first.next or "")
    assert [vault.name for vault in first.items + rest.items] == [f"Vault-{number}" for number in range(7)]
