"""Quotas: what the edge is told when a vault or a machine has stored as much as it may."""

import uuid

import pytest

from agents.models import Machine
from tests.agents import peer
from tests.agents.factories import machine_in
from tests.agents.storage_access.edge import HASH, Edge, folder
from vaults.models import Region, Vault


@pytest.fixture
def edge(machine: peer.Machine) -> Edge:
    """A connection of `machine`."""
    return Edge.showing(str(machine.answer["certificate"]))


@pytest.mark.parametrize(
    ("vault_used", "vault_quota", "machine_used", "machine_quota", "status"),
    [
        (None, None, None, None, 204),
        (10**15, None, 10**15, None, 204),
        (99, 100, 99, 100, 204),
        (100, 100, 0, None, 507),
        (101, 100, 0, 100, 507),
        (100, None, 100, 100, 507),
        (100, 1000, 100, 100, 507),
        (None, 100, None, 100, 204),
        (None, 0, None, None, 507),
    ],
)
def test_a_quota_that_is_reached_takes_nothing_new(
    edge: Edge,
    machine: peer.Machine,
    vault_used: int | None,
    vault_quota: int | None,
    machine_used: int | None,
    machine_quota: int | None,
    status: int,
) -> None:
    Region.objects.update(vault_quota_bytes=vault_quota, machine_quota_bytes=machine_quota)
    Vault.objects.update(used_bytes=vault_used)
    Machine.objects.update(used_bytes=machine_used)
    assert edge.ask(folder(machine) + f"data/{HASH}", "POST") == status
    assert edge.ask(folder(machine) + "?create=true", "POST") == status


def test_what_is_stored_can_be_read_all_the_same(edge: Edge, machine: peer.Machine) -> None:
    Region.objects.update(vault_quota_bytes=0)
    for method, rest in (("GET", f"data/{HASH}"), ("POST", f"locks/{HASH}"), ("DELETE", f"locks/{HASH}")):
        assert edge.ask(folder(machine) + rest, method) == 204


def test_strangers_hear_no_rather_than_full(edge: Edge, machine: peer.Machine) -> None:
    Region.objects.update(vault_quota_bytes=0)
    other = folder(machine).replace(machine.id, str(uuid.uuid4()))
    assert edge.ask(other + f"data/{HASH}", "POST") == 403


def test_a_neighbours_quota_is_its_own(edge: Edge, machine: peer.Machine) -> None:
    Region.objects.update(machine_quota_bytes=100)
    row = Machine.objects.get()
    machine_in(row.vault, row.credential, "full", used_bytes=100)
    assert edge.ask(folder(machine) + f"data/{HASH}", "POST") == 204
