"""Search by a part of a name: the same with and without the index, which is kept in step and comes back by itself."""

from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from portal.core import name_index
from portal.core.name_index import INDEXES, every_index_stands, named_like
from tests.factories import person
from vaults.filters import VaultFilter
from vaults.models import Vault

MakeVault = Callable[..., Vault]
NAMES = ["Payroll", "PAYMENTS-2", "lab", "Web-pay", "we_b", "a%b", 'q"q"q']
TEXTS = ["pay", "PAYROLL", "roll", "-", "_", "%", "we_", "a%b", '"q"', "zzz", "b", "x OR y", "pay*", "NEAR("]
SQLITE = pytest.mark.skipif(connection.vendor != "sqlite", reason="triggers are SQLite's way")
INDEX = INDEXES["vaults_vault"]


def like(text: str) -> list[str]:
    return sorted(Vault.objects.filter(named_like(Vault, text)).values_list("name", flat=True))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("few", [1, 1_000], ids=["walked", "gathered"])
def test_what_is_found_is_what_has_the_text(
    text: str, few: int, make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        make_vault(name)
    monkeypatch.setattr(name_index, "FEW", few)
    assert like(text) == sorted(name for name in NAMES if text.lower() in name.lower())


def test_every_name_of_the_site_has_an_index(db: None) -> None:
    assert sorted(INDEXES) == ["agents_machine", "vaults_vault", "vaults_vaultrequest"]
    assert [name_index.missing(index) for index in INDEXES.values()] == [[], [], []]
    assert every_index_stands(databases=["default"]) == []


@SQLITE
def test_it_is_in_step_with_each_change_and_with_what_is_rolled_back(make_vault: MakeVault) -> None:
    vault = make_vault("Payroll")
    Vault.objects.filter(pk=vault.pk).update(name="Ledger")
    assert (like("payroll"), like("ledg")) == ([], ["Ledger"])
    with transaction.atomic():
        make_vault("Billing")
        assert like("billing") == ["Billing"]
        transaction.set_rollback(True)
    assert like("billing") == []
    vault.delete()
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT COUNT(*) FROM "{INDEX.name}"')  # noqa: S608
        assert cursor.fetchone() == (0,)


@SQLITE
def test_a_dropped_trigger_is_noticed_and_made_again_with_what_was_missed(make_vault: MakeVault) -> None:
    """As after a migration that alters the table. Until then all names are read, so that nothing is missed."""
    make_vault("Payroll")
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TRIGGER "{INDEX.name}_insert"')
    make_vault("Payments")
    assert like("pay") == ["Payments", "Payroll"]
    assert [finding.id for finding in every_index_stands(databases=["default"])] == ["strongroom.W021"]
    call_command("migrate", verbosity=0)
    assert name_index.stands(INDEX)
    assert every_index_stands(databases=["default"]) == []
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT COUNT(*) FROM "{INDEX.name}" WHERE name MATCH %s', ['"pay"'])  # noqa: S608
        assert cursor.fetchone() == (2,)


@SQLITE
def test_sqlite_without_that_kind_of_table_reads_all_names(
    make_vault: MakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_vault("Payroll")
    with connection.cursor() as cursor:
        for name in INDEX.triggers:
            cursor.execute(f'DROP TRIGGER "{name}"')
        cursor.execute(f'DROP TABLE "{INDEX.name}"')
    with monkeypatch.context() as patched:
        patched.setattr(name_index, "_make_on_sqlite", lambda index: connection.cursor().execute("no such thing"))
        assert name_index.make(INDEX) is False
    assert like("ayrol") == ["Payroll"]
    assert name_index.make(INDEX) is True


@pytest.mark.skipif(connection.vendor != "postgresql", reason="an index of PostgreSQL")
def test_postgresql_can_use_its_index(make_vault: MakeVault) -> None:
    make_vault("Payroll")
    sql, values = Vault.objects.filter(named_like(Vault, "ayrol")).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")
        cursor.execute(f"EXPLAIN {sql}", values)
        assert INDEX.name in "\n".join(line for (line,) in cursor.fetchall())


@SQLITE
def test_a_search_does_not_read_all_names(make_vault: MakeVault) -> None:
    make_vault("Payroll")
    auditor = person("reader", is_auditor=True)
    sql, values = VaultFilter(text="ayrol").rows(auditor).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", values)
        plan = "\n".join(row[-1] for row in cursor.fetchall())
    assert "VIRTUAL TABLE INDEX" in plan
    assert "SCAN vaults_vault\n" not in f"{plan}\n"
