"""Every state table, pair by pair: `advance()` makes each legal move with its entry, and refuses each other one."""

from collections.abc import Callable
from itertools import product

import pytest
from django.db import models
from django.utils import timezone

from agents import states as machines
from agents.models import ReplacementRequest
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.audit.transitions import IllegalTransition, advance
from portal.core.actor import SYSTEM
from portal.core.states import StateTable
from tests.agents.factories import credential_of, machine_in
from tests.vaults.factories import operation_of, request_of
from vaults import states as vaults
from vaults.models import RetentionChange, Vault

Make = Callable[[Vault, User], models.Model]


def a_request(vault: Vault, staff: User) -> models.Model:
    """A request for a vault."""
    return request_of(staff, vault.subscription, vault.region, "Ledger")


def an_operation(vault: Vault, staff: User) -> models.Model:
    """Work on a vault."""
    return operation_of(vault)


def a_machine(vault: Vault, staff: User) -> models.Model:
    """A machine of the vault."""
    return machine_in(vault, credential_of(vault, staff))


def a_replacement(vault: Vault, staff: User) -> models.Model:
    """A request to replace a machine of the vault."""
    machine = machine_in(vault, credential_of(vault, staff))
    return ReplacementRequest.objects.create(
        machine=machine, reason="The disk is broken.", requested_by=staff, requested_at=timezone.now()
    )


def a_retention_change(vault: Vault, staff: User) -> models.Model:
    """A request for a weaker retention policy."""
    return RetentionChange.objects.create(
        vault=vault,
        policy_before={},
        policy_wanted={},
        reason="Too much is kept.",
        requested_by=staff,
        requested_at=timezone.now(),
    )


TABLES: list[tuple[StateTable, Make]] = [
    (vaults.REQUEST, a_request),
    (vaults.RETENTION_CHANGE, a_retention_change),
    (vaults.OPERATION, an_operation),
    (vaults.VAULT, lambda vault, staff: vault),
    (machines.MACHINE, a_machine),
    (machines.REPLACEMENT, a_replacement),
]
PAIRS = [
    pytest.param(table, make, old, new, id=f"{table.noun}: {old} to {new}")
    for table, make in TABLES
    for old, new in product(table.looks, table.looks)
]


@pytest.mark.parametrize("table", [table for table, _ in TABLES], ids=lambda table: table.noun)
def test_tables_name_only_states_that_they_show(table: StateTable) -> None:
    """A state that nobody can be shown would be a hole in every page."""
    assert set(table.moves) | set().union(*table.moves.values()) | table.busy <= set(table.looks)


@pytest.mark.parametrize(("table", "make", "old", "new"), PAIRS)
def test_each_pair_of_states(table: StateTable, make: Make, old: str, new: str, vault: Vault, staff: User) -> None:
    """Legal: the row and the object move, one entry says from where to where. Illegal: nothing happens at all."""
    row = make(vault, staff)
    rows = type(row)._default_manager.filter(pk=row.pk)
    rows.update(state=old)
    row.refresh_from_db()
    entries = AuditEvent.objects.filter(target_id=str(row.pk))
    if not table.allows(old, new):
        with pytest.raises(IllegalTransition):
            advance(row, new, actor=SYSTEM)
        assert rows.values_list("state", flat=True).get() == old
        assert not entries.exists()
        return
    advance(row, new, actor=SYSTEM)
    assert rows.values_list("state", flat=True).get() == new
    assert entries.get().detail == {"from": old, "to": new}
