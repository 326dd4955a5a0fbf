"""`advance()`: from the state that was seen, with an audit entry. tests/test_state_tables.py walks the tables."""

import pytest

from portal.audit.models import AuditEvent
from portal.audit.transitions import advance
from portal.core.actor import SYSTEM
from portal.core.errors import StaleState
from vaults.models import Vault
from vaults.states import VaultState


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

    monkeypatch.setattr("portal.audit.transitions.record_transition", broken)
    with pytest.raises(OSError, match="the log is away"):
        advance(vault, VaultState.REMOVING, actor=SYSTEM)
    assert (Vault.objects.get().state, vault.state) == (VaultState.ACTIVE, VaultState.ACTIVE)
