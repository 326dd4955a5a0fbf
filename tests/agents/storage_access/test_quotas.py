"""Quotas: what the edge is told when a vault or a machine has stored as much as it may."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Machine
from tests.agents import peer
from tests.agents.factories import machine_in
from tests.agents.storage_access.edge import HASH, Edge, folder
from vaults.models import MachineRepository, Region, Vault


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


class TestRetain:
    """A machine at its quota has to write before it can free anything, and no more than that."""

    @pytest.fixture(autouse=True)
    def at_quota(self, machine: peer.Machine) -> None:
        Region.objects.update(machine_quota_bytes=1000, vault_quota_bytes=10**6)
        Machine.objects.update(used_bytes=1000)
        MachineRepository.objects.create(
            machine_id=machine.id, vault=Vault.objects.get(), retain_ends_at=timezone.now() + timedelta(hours=1)
        )

    def test_while_announced_a_little_more_may_be_stored(self, edge: Edge, machine: peer.Machine) -> None:
        for rest in (f"data/{HASH}", f"index/{HASH}", f"snapshots/{HASH}"):
            assert edge.ask(folder(machine) + rest, "POST") == 204
        Machine.objects.update(used_bytes=1050)
        answers = [edge.ask(folder(machine) + f"{kind}/{HASH}", "POST") for kind in ("data", "index", "snapshots")]
        assert answers == [507, 204, 507]

    def test_not_before_and_not_afterwards(self, edge: Edge, machine: peer.Machine) -> None:
        for ends in (None, timezone.now() - timedelta(seconds=1)):
            MachineRepository.objects.update(retain_ends_at=ends)
            assert [edge.ask(folder(machine) + f"{kind}/{HASH}", "POST") for kind in ("data", "index")] == [507, 507]

    def test_another_machines_announcement_is_no_help(self, edge: Edge, machine: peer.Machine) -> None:
        MachineRepository.objects.update(machine_id=uuid.uuid4())
        assert edge.ask(folder(machine) + f"index/{HASH}", "POST") == 507

    def test_the_reserve_of_the_region_stays(self, edge: Edge, machine: peer.Machine) -> None:
        Region.objects.update(free_bytes=10**9, total_bytes=10**12)
        assert edge.ask(folder(machine) + f"index/{HASH}", "POST") == 507
