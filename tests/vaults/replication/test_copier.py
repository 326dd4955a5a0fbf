"""Copies in the paired region: what is copied, in which order, and what is not."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.notifications.models import Notification
from tests.rows import now
from tests.vaults.stored import MachineFolder, backup, digest, files
from vaults import copy_schedule
from vaults.models import PairedCopy, Vault
from vaults.regions.storage.base import StorageUnavailable
from vaults.regions.storage.rclone import RcloneRegion
from vaults.replication import copier
from vaults.states import VaultState

Sent = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def source(storage: Path, copy: PairedCopy) -> MachineFolder:
    return MachineFolder(storage / "local-a", copy.vault_id, uuid4())


@pytest.fixture
def target(storage: Path, copy: PairedCopy) -> Callable[[], dict[str, bytes]]:
    """What the pair has of the vault, by path in the region."""

    def look() -> dict[str, bytes]:
        region = storage / "local-b"
        found = files(region / str(copy.vault_id))
        return {f"{copy.vault_id}/{path}": data for path, data in found.items()}

    return look


def test_all_of_a_backup_is_copied(
    copy: PairedCopy, source: MachineFolder, target: Callable[[], dict[str, bytes]]
) -> None:
    stored = backup(source, b"one ")
    before = timezone.now()
    copier.run(copy.pk)
    assert target() == stored
    done = now(copy)
    assert done.complete_as_of is not None
    assert done.complete_as_of >= before
    assert (done.objects_copied, done.trouble, done.lease_token, done.attempts) == (4, "", None, 0)
    assert done.due_at is not None
    assert done.due_at > timezone.now() + timedelta(minutes=50)


def test_a_vault_without_machines_is_complete(
    copy: PairedCopy, storage: Path, target: Callable[[], dict[str, bytes]]
) -> None:
    copier.run(copy.pk)
    assert (target(), now(copy).complete_as_of is None) == ({}, False)
    assert (storage / "local-b" / str(copy.vault_id)).is_dir()


def test_only_what_is_new_is_copied_again(
    copy: PairedCopy, source: MachineFolder, target: Callable[[], dict[str, bytes]]
) -> None:
    stored = backup(source, b"one ")
    copier.run(copy.pk)
    stored |= backup(source, b"two ")
    copy_schedule.schedule(copy.vault_id)
    copier.run(copy.pk)
    assert (target(), now(copy).objects_copied) == (stored, 8)


def test_locks_and_strange_names_are_not_copied(
    copy: PairedCopy, source: MachineFolder, storage: Path, target: Callable[[], dict[str, bytes]]
) -> None:
    source.put("locks", b"lock")
    source.put_at("data/zz/" + "0" * 64, b"x")
    source.put_at("keys/note.txt", b"x")
    source.put_at("keys/" + "A" * 64, b"x")
    MachineFolder(storage / "local-a", copy.vault_id, uuid4()).put_at("../stray/config", b"x")
    copier.run(copy.pk)
    assert target() == {}


def test_nothing_in_the_pair_is_ever_deleted(
    copy: PairedCopy, source: MachineFolder, storage: Path, target: Callable[[], dict[str, bytes]]
) -> None:
    """A copy carries no loss over: what the first region has lost comes back (test_returning.py)."""
    stored = backup(source, b"one ")
    copier.run(copy.pk)
    for path in stored:
        (storage / "local-a" / path).unlink()
    copy_schedule.schedule(copy.vault_id)
    copier.run(copy.pk)
    assert target() == stored


def test_a_copy_that_is_not_there_afterwards_is_not_complete(
    copy: PairedCopy, source: MachineFolder, faults: pytest.MonkeyPatch
) -> None:
    """Whatever the copying said: the pair is listed again, and what is lacking is said of the region that lacks it."""
    backup(source, b"one ")
    faults.setattr(RcloneRegion, "copy_to", lambda *arguments, **options: set())
    copier.run(copy.pk)
    waiting = now(copy)
    assert (waiting.complete_as_of, waiting.trouble) == (
        None,
        "Local B does not have 5 objects that it has just been given.",
    )


def test_a_region_that_refuses_is_named(
    copy: PairedCopy, source: MachineFolder, storage: Path, faults: pytest.MonkeyPatch
) -> None:
    stored = backup(source, b"one ")
    copier.run(copy.pk)
    assert now(copy).complete_as_of is not None
    pack = next(path for path in stored if "/data/" in path)
    (storage / "local-b" / pack).unlink()
    (storage / "local-b" / pack).parent.rmdir()
    (storage / "local-b" / pack).parent.write_bytes(b"a file in the place of a folder")
    before = now(copy).complete_as_of
    copy_schedule.schedule(copy.vault_id)
    copier.run(copy.pk)
    assert now(copy).trouble.startswith("Local B ")
    assert now(copy).complete_as_of == before


def test_a_round_begins_with_the_machines_that_reported(
    copy: PairedCopy, storage: Path, faults: pytest.MonkeyPatch
) -> None:
    machines = sorted(uuid4() for _ in range(4))
    for machine in machines:
        backup(MachineFolder(storage / "local-a", copy.vault_id, machine), str(machine).encode())
    order: list[str] = []
    copy_to = RcloneRegion.copy_to

    def noted(self: RcloneRegion, other: RcloneRegion, paths: Iterable[str]) -> set[str]:
        order.extend(path.split("/")[1] for path in paths if "/snapshots/" in path)
        return copy_to(self, other, paths)

    faults.setattr(RcloneRegion, "copy_to", noted)
    for machine in (machines[2], machines[1], uuid4()):
        copy_schedule.schedule(copy.vault_id, machine)
    copier.run(copy.pk)
    assert order == [str(machines[number]) for number in (2, 1, 0, 3)]
    assert now(copy).reported == []


def test_reports_within_seconds_become_one_round(
    copy: PairedCopy, no_broker: Sent, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    copier.run(copy.pk)
    no_broker.clear()
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(20):
            copy_schedule.schedule(copy.vault_id, uuid4())
    assert no_broker == [("vaults.copy_vault", (copy.pk,))]
    assert len(now(copy).reported) == 20


def test_the_first_round_after_a_while_begins_at_once(
    copy: PairedCopy, source: MachineFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then what was stored is in one place only; those that follow wait for each other."""
    waited = list[int]()
    monkeypatch.setattr(copy_schedule, "enqueue", lambda _task, _copy, delay=0: waited.append(delay))
    copier.run(copy.pk)
    PairedCopy.objects.update(complete_as_of=timezone.now() - copy_schedule.GATHER)
    for _ in range(2):
        copy_schedule.schedule(copy.vault_id)
        copier.run(copy.pk)
    assert waited == [0, 5]


def test_half_an_object_in_the_pair_is_made_whole(
    copy: PairedCopy, source: MachineFolder, storage: Path, target: Callable[[], dict[str, bytes]]
) -> None:
    stored = backup(source, b"one ")
    for path, data in stored.items():
        file = storage / "local-b" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data[:2])
    copier.run(copy.pk)
    assert target() == stored


def test_what_does_not_match_its_name_is_set_aside_and_not_copied(
    copy: PairedCopy, source: MachineFolder, storage: Path, target: Callable[[], dict[str, bytes]]
) -> None:
    stored = backup(source, b"one ")
    junk = source.put("data", b"junk", name="ab" * 32)
    copier.run(copy.pk)
    assert target() == stored
    assert not (storage / "local-a" / junk).exists()
    event = AuditEvent.objects.get(action="object:quarantine")
    assert (event.vault_id, event.detail["object"], event.detail["sha256"]) == (copy.vault_id, junk, digest(b"junk"))
    moved = storage / "local-a" / str(event.detail["moved_to"])
    assert (moved.read_bytes(), str(event.detail["moved_to"]).startswith("quarantine/")) == (b"junk", True)
    entry = Notification.objects.get(state="attention")
    assert (entry.title, entry.subscription) == (
        'A damaged object of vault "Payroll" was set aside.',
        copy.vault.subscription,
    )


def test_an_upload_under_way_is_left_alone(
    copy: PairedCopy, source: MachineFolder, storage: Path, target: Callable[[], dict[str, bytes]]
) -> None:
    whole = b"a whole object"
    half = source.put("data", whole[:5], name=digest(whole), age=0)
    copier.run(copy.pk)
    assert (target(), AuditEvent.objects.filter(action="object:quarantine").count()) == ({}, 0)
    assert source.put("data", whole, age=0) == half
    copy_schedule.schedule(copy.vault_id)
    copier.run(copy.pk)
    assert target() == {half: whole}


def test_a_snapshot_that_appears_in_mid_copy_waits_for_the_next_round(
    copy: PairedCopy,
    source: MachineFolder,
    target: Callable[[], dict[str, bytes]],
    faults: pytest.MonkeyPatch,
) -> None:
    stored = backup(source, b"one ")
    later: dict[str, bytes] = {}
    copy_to = RcloneRegion.copy_to

    def meanwhile(self: RcloneRegion, other: RcloneRegion, paths: Iterable[str]) -> set[str]:
        gone = copy_to(self, other, paths)
        if not later and any("/data/" in path for path in paths):
            later.update(backup(source, b"two "))
        return gone

    faults.setattr(RcloneRegion, "copy_to", meanwhile)
    copier.run(copy.pk)
    missing = later.keys() - target().keys()
    assert {path.split("/")[2] for path in missing} >= {"index", "snapshots"}
    copy_schedule.schedule(copy.vault_id)
    copier.run(copy.pk)
    assert target() == stored | later


def test_the_order_is_keys_data_index_snapshots(
    copy: PairedCopy, source: MachineFolder, faults: pytest.MonkeyPatch
) -> None:
    backup(source, b"one ")
    order: list[str] = []
    copy_to = RcloneRegion.copy_to

    def noted(self: RcloneRegion, other: RcloneRegion, paths: Iterable[str]) -> set[str]:
        order.extend(path.split("/")[2] for path in paths)
        return copy_to(self, other, paths)

    faults.setattr(RcloneRegion, "copy_to", noted)
    copier.run(copy.pk)
    assert order == ["config", "keys", "data", "index", "snapshots"]


def test_a_trouble_is_noted_and_tried_again_for_ever(
    copy: PairedCopy, source: MachineFolder, target: Callable[[], dict[str, bytes]], faults: pytest.MonkeyPatch
) -> None:
    stored = backup(source, b"one ")

    def away(*args: object) -> None:
        raise StorageUnavailable("Local B is not responding.")

    faults.setattr(RcloneRegion, "copy_to", away)
    for attempt in range(1, 13):
        copier.run(copy.pk)
        waiting = now(copy)
        assert (waiting.trouble, waiting.attempts, waiting.complete_as_of) == (
            "Local B is not responding.",
            attempt,
            None,
        )
        assert waiting.due_at is not None
        assert timedelta(seconds=5) < waiting.due_at - timezone.now() <= timedelta(minutes=15)
        PairedCopy.objects.update(due_at=Now() - timedelta(seconds=1))
    faults.undo()
    copier.run(copy.pk)
    assert (target(), now(copy).trouble) == (stored, "")


def test_a_large_vault_is_copied_by_several_tasks(
    copy: PairedCopy,
    storage: Path,
    target: Callable[[], dict[str, bytes]],
    faults: pytest.MonkeyPatch,
    no_broker: Sent,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    machines = sorted(uuid4() for _ in range(3))
    stored: dict[str, bytes] = {}
    for machine in machines:
        stored |= backup(MachineFolder(storage / "local-a", copy.vault_id, machine), str(machine).encode())
    copied: list[str] = []
    copy_to = RcloneRegion.copy_to

    def noted(self: RcloneRegion, other: RcloneRegion, paths: Iterable[str]) -> set[str]:
        copied.extend(path.split("/")[1] for path in paths if path.endswith("/config"))
        gone = copy_to(self, other, paths)
        if copied == [str(machine) for machine in machines[:2]]:
            faults.setattr("vaults.replication.copier.time", SimpleNamespace(monotonic=lambda: float("inf")))
        return gone

    faults.setattr(RcloneRegion, "copy_to", noted)
    with django_capture_on_commit_callbacks(execute=True):
        copier.run(copy.pk)
    waiting = now(copy)
    assert (waiting.complete_as_of, waiting.lease_token, waiting.attempts) == (None, None, 0)
    assert (waiting.round_done_to, waiting.round_began_at is None) == (str(machines[0]), False)
    assert no_broker == [("vaults.copy_vault", (copy.pk,))]
    faults.undo()
    copier.run(copy.pk)
    assert (target(), now(copy).complete_as_of, now(copy).round_began_at) == (stored, waiting.round_began_at, None)


def test_only_so_many_vaults_are_copied_at_once(
    copy: PairedCopy, make_vault: Callable[..., Vault], settings: Any
) -> None:
    settings.COPIES_AT_ONCE = 1
    other = copy_schedule.create(make_vault("Other"))
    copy_schedule.schedule(other.vault_id)
    assert now(other).claim(60)
    copier.run(copy.pk)
    assert now(copy).complete_as_of is None
    PairedCopy.objects.filter(pk=other.pk).update(lease_until=Now() - timedelta(seconds=1))
    copier.run(copy.pk)
    assert now(copy).complete_as_of is not None


def test_a_copy_asked_for_in_mid_copy_is_made_right_after(
    copy: PairedCopy, source: MachineFolder, faults: pytest.MonkeyPatch
) -> None:
    backup(source, b"one ")
    make_container = RcloneRegion.make_container

    def asking(self: RcloneRegion, path: str) -> None:
        copy_schedule.schedule(copy.vault_id)
        make_container(self, path)

    PairedCopy.objects.update(due_at=Now() - timedelta(seconds=1))
    faults.setattr(RcloneRegion, "make_container", asking)
    copier.run(copy.pk)
    assert copy_schedule.overdue(10) == [copy.pk]


def test_a_held_copy_is_left_to_its_worker(copy: PairedCopy, source: MachineFolder) -> None:
    assert now(copy).claim(60)
    copier.run(copy.pk)
    assert now(copy).complete_as_of is None


@pytest.mark.parametrize("state", [state for state in VaultState if state != VaultState.ACTIVE])
def test_vaults_that_are_not_active_are_not_copied(copy: PairedCopy, source: MachineFolder, state: str) -> None:
    backup(source, b"one ")
    Vault.objects.update(state=state)
    copier.run(copy.pk)
    assert (now(copy).complete_as_of, now(copy).due_at, now(copy).lease_token) == (None, None, None)


def test_a_copy_that_was_stopped_leaves_no_trace(
    copy: PairedCopy, source: MachineFolder, faults: pytest.MonkeyPatch
) -> None:
    backup(source, b"one ")
    make_container = RcloneRegion.make_container

    def stopping(self: RcloneRegion, path: str) -> None:
        make_container(self, path)
        copy_schedule.stop(copy.vault)

    faults.setattr(RcloneRegion, "make_container", stopping)
    copier.run(copy.pk)
    assert (now(copy).complete_as_of, now(copy).due_at) == (None, None)


def test_a_vault_without_a_copy_is_never_due(make_vault: Callable[..., Vault], no_broker: Sent) -> None:
    copy_schedule.schedule(make_vault(redundancy="local").pk)
    assert no_broker == []
