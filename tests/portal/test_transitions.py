"""`advance()`: only legal transitions, from the state that was seen, with an audit entry."""

from itertools import product

import pytest

from portal.accounts.actors import SYSTEM
from portal.audit.models import AuditEvent
from portal.errors import StaleState
from portal.transitions import IllegalTransition, StateTable, advance
from vaults import states
from vaults.models import Vault
from vaults.states import VaultState

TABLES = [states.REQUEST, states.VAULT, states.OPERATION]
PAIRS = [(old, new) for old, new in product(VaultState.values, VaultState.values)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.noun)
def test_tables_name_only_states_that_they_show(table: StateTable) -> None:
    assert set(table.moves) | set().union(*table.moves.values()) | table.busy <= set(table.looks)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_each_pair_of_states(vault: Vault, old: str, new: str) -> None:
    Vault.objects.update(state=old)
    vault.refresh_from_db()
    if states.VAULT.allows(old, new):
        advance(vault, new, actor=SYSTEM)
    else:
        with pytest.raises(IllegalTransition):
            advance(vault, new, actor=SYSTEM)
    expected = new if states.VAULT.allows(old, new) else old
    assert (Vault.objects.get().state, vault.state) == (expected, expected)
    assert AuditEvent.objects.count() == states.VAULT.allows(old, new)


def test_a_row_that_moved_meanwhile_is_stale(vault: Vault) -> None:
    Vault.objects.update(state=VaultState.REMOVING)
    with pytest.raises(StaleState):
        advance(vault, VaultState.REMOVING, actor=SYSTEM, state_reason="mine")
    vault_now = Vault.objects.get()
    assert (vault.state, vault_now.state_reason, AuditEvent.objects.count()) == (VaultState.ACTIVE, "", 0)


def test_the_entry_says_from_where_to_where_and_why(vault: Vault) -> None:
    advance(vault, VaultState.REMOVING, actor=SYSTEM, reason="Not needed", detail={"by": "test"})
    event = AuditEvent.objects.get()
    assert (event.action, event.vault_id) == ("vault:removing", vault.pk)
    assert event.detail == {"from": "Active", "to": "Removing", "reason": "Not needed", "by": "test"}


def test_without_the_entry_nothing_changes(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **options: object) -> None:
        raise OSError("the log is away")

    monkeypatch.setattr("portal.transitions.record", broken)
    with pytest.raises(OSError, match="the log is away"):
        advance(vault, VaultState.REMOVING, actor=SYSTEM)
    assert (Vault.objects.get().state, vault.state) == (VaultState.ACTIVE, VaultState.ACTIVE)
