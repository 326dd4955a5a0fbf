"""What a machine is told to delete, and what announcing it allows."""

import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.utils import timezone

from agents.machines import revoke
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from tests.agents import peer
from tests.agents.peer import say
from tests.factories import as_actor
from tests.vaults.stored import MachineFolder, digest
from vaults.models import MachineRepository, SeenObject, Vault
from vaults.regions.storage.base import StorageUnavailable
from vaults.regions.storage.rclone import RcloneRegion
from vaults.trash import repositories


@pytest.fixture
def folder(storage: Path, machine: peer.Machine, vault: Vault) -> MachineFolder:
    """The machine's folder, with a snapshot of each of the last forty nights, as the portal saw them."""
    found = MachineFolder(storage / "local-a", vault.pk, UUID(machine.id))
    for night in range(40):
        found.put("snapshots", str(night).encode())
    repositories.look(vault, UUID(machine.id))
    for night in range(40):
        seen = timezone.now() - timedelta(days=40 - night, hours=-1)
        SeenObject.objects.filter(name=digest(str(night).encode())).update(first_seen_at=seen)
    return found


OLDEST = [digest(str(night).encode()) for night in range(10)]


def test_the_oldest_go_in_order(folder: MachineFolder, machine: peer.Machine) -> None:
    answer = say(machine.holder, "retain", dry_run=False)
    body = answer.json()
    assert answer.status_code == 200
    assert (body["ok"], body["forget"], body["keep"], body["at_quota"]) == (True, OLDEST, 30, False)
    assert (body["policy"], body["minimum_retention_days"]) == ("Keep everything within 30 days.", 14)
    row = MachineRepository.objects.get()
    assert row.retain_snapshots == OLDEST
    assert row.retain_ends_at is not None
    assert row.retain_ends_at.isoformat().removesuffix("+00:00") == body["until"].removesuffix("Z")
    event = AuditEvent.objects.get(action="retain:announce")
    assert (event.detail["snapshots"], event.detail["kept"]) == (10, 30)


def test_who_only_asks_announces_nothing(folder: MachineFolder, machine: peer.Machine) -> None:
    body = say(machine.holder, "retain", dry_run=True).json()
    assert (body["forget"], body["until"]) == (OLDEST, None)
    row = MachineRepository.objects.get()
    assert (row.retain_ends_at, row.retain_snapshots) == (None, [])
    assert not AuditEvent.objects.filter(action="retain:announce").exists()


def test_the_policy_of_the_vault_counts(folder: MachineFolder, machine: peer.Machine) -> None:
    Vault.objects.update(keep_within_days=36)
    assert say(machine.holder, "retain", dry_run=True).json()["forget"] == OLDEST[:4]


def test_what_was_never_seen_stays(folder: MachineFolder, machine: peer.Machine) -> None:
    """However old it says it is: it is seen now."""
    backdated = Path(folder.put("snapshots", b"backdated", age=10**8)).name
    MachineRepository.objects.update(looked_at=None)
    body = say(machine.holder, "retain", dry_run=True).json()
    assert (backdated in body["forget"], body["keep"]) == (False, 31)


def test_the_older_go_first_where_there_are_many(
    folder: MachineFolder, machine: peer.Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.storage_access.retaining.MOST", 3)
    assert say(machine.holder, "retain", dry_run=False).json()["forget"] == OLDEST[:3]


def test_not_to_a_machine_that_was_shut_out(folder: MachineFolder, machine: peer.Machine, staff: User) -> None:
    revoke(UUID(machine.id), actor=as_actor(staff), reason="Stolen")
    answer = say(machine.holder, "retain", dry_run=False)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert MachineRepository.objects.get().retain_ends_at is None


@pytest.mark.parametrize("wrong", ["yes", 1, None, []])
def test_nonsense_announces_nothing(folder: MachineFolder, machine: peer.Machine, wrong: object) -> None:
    assert say(machine.holder, "retain", dry_run=wrong).status_code == 422
    assert MachineRepository.objects.get().retain_ends_at is None


def test_a_storage_that_is_away_is_no_empty_one(
    folder: MachineFolder, machine: peer.Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: RcloneRegion, path: str) -> None:
        raise StorageUnavailable("Local A is not responding.")

    monkeypatch.setattr(RcloneRegion, "tree", away)
    answer = say(machine.holder, "retain", dry_run=False)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert MachineRepository.objects.get().retain_ends_at is None


def test_a_message_counts_once(folder: MachineFolder, machine: peer.Machine) -> None:
    holder = machine.holder
    body = holder.sign(json.dumps(holder.payload("retain", dry_run=False)).encode())
    assert [peer.send("retain", body).status_code for _ in range(2)] == [200, 403]
