"""A repository as of an earlier time, byte for byte, whatever was done to it since."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import Invalid, StaleState
from portal.notifications.models import Notification
from tests.vaults.deleting import Delete, of_kind
from tests.vaults.stored import MachineFolder, files
from vaults import copy_schedule
from vaults.lifecycle import provisioning
from vaults.models import LostObject, MachineRepository, Operation, PairedCopy, RemovedObject, SeenObject
from vaults.recovery import bring_back
from vaults.regions.storage.base import StorageUnavailable
from vaults.regions.storage.rclone import RcloneRegion
from vaults.replication import copier
from vaults.states import OperationState
from vaults.trash import repositories

BringBack = Callable[[datetime], Operation]


@pytest.fixture
def back(copy: PairedCopy, number: UUID, requester: Actor) -> BringBack:
    """Brings the machine back as of a time, and copies."""

    def brought(as_of: datetime) -> Operation:
        operation = bring_back.start(copy.vault, number, as_of=as_of, reason="Stolen.", actor=requester)
        while Operation.objects.get(pk=operation.pk).state == OperationState.RUNNING:
            Operation.objects.filter(pk=operation.pk).update(due_at=timezone.now() - timedelta(seconds=1))
            provisioning.run(operation.pk)
        copy_schedule.schedule(copy.vault_id)
        copier.run(copy.pk)
        return Operation.objects.get(pk=operation.pk)

    return brought


def both(ours: MachineFolder) -> list[dict[str, bytes]]:
    regions = (ours.region, ours.region.with_name("local-b"))
    return [{f"{ours.path}/{path}": data for path, data in files(region / ours.path).items()} for region in regions]


@pytest.fixture
def before(stored: dict[str, bytes]) -> datetime:
    """A moment at which all that is `stored` was there, and nothing else."""
    return timezone.now() - timedelta(days=1)


def test_everything_deleted_returns(
    copy: PairedCopy,
    ours: MachineFolder,
    stored: dict[str, bytes],
    delete: Delete,
    back: BringBack,
    before: datetime,
    number: UUID,
) -> None:
    for kind in ("snapshots", "index", "data"):
        delete(of_kind(stored, kind))
    copier.run(copy.pk)
    assert len(both(ours)[0]) == len(both(ours)[1]) == 2
    operation = back(before)
    assert operation.state == OperationState.SUCCEEDED
    assert both(ours) == [stored, stored]
    assert not RemovedObject.objects.exists()
    event = AuditEvent.objects.get(action="repository:brought-back")
    assert (event.detail["returned"], event.detail["set_aside"], event.detail["lost"]) == (3, 0, 0)
    asked = AuditEvent.objects.get(action="repository:bring-back")
    assert (asked.detail["reason"], asked.detail["machine"]) == ("Stolen.", str(number))
    assert "as of" in Notification.objects.get(key=f"bring-back:{number}").title


def test_what_came_since_is_set_aside_and_can_come_back(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], back: BringBack, before: datetime, number: UUID
) -> None:
    contents = [b"forged " + kind.encode() for kind in bring_back.OUT]
    forged = {ours.put(kind, data, age=0): data for kind, data in zip(bring_back.OUT, contents, strict=True)}
    repositories.look(copy.vault, number)
    later = timezone.now()
    back(before)
    assert both(ours) == [stored, stored]
    assert {row.path for row in RemovedObject.objects.all()} == set(forged)
    back(later)
    assert both(ours) == [{**stored, **forged}] * 2


def test_junk_under_the_name_of_what_was_deleted_gives_way(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], delete: Delete, back: BringBack, before: datetime
) -> None:
    path = of_kind(stored, "data")
    delete(path)
    (ours.region / path).write_bytes(b"junk")
    copy_schedule.schedule(copy.vault_id)
    back(before)
    assert both(ours) == [stored, stored]


def test_what_the_trash_has_damaged_comes_from_the_pair(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], delete: Delete, back: BringBack, before: datetime
) -> None:
    path = of_kind(stored, "data")
    delete(path)
    copier.run(copy.pk)
    (ours.region / "trash" / path).write_bytes(b"rotten")
    back(before)
    assert both(ours) == [stored, stored]
    assert not LostObject.objects.exists()


def test_what_no_region_has_whole_is_said_to_be_lost(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], delete: Delete, back: BringBack, before: datetime
) -> None:
    path = of_kind(stored, "data")
    delete(path)
    copier.run(copy.pk)
    for region in (ours.region, ours.region.with_name("local-b")):
        (region / "trash" / path).write_bytes(b"rotten")
    operation = back(before)
    assert operation.state == OperationState.SUCCEEDED
    assert LostObject.objects.get().path == path
    assert AuditEvent.objects.get(action="repository:brought-back").detail["lost"] == 1


def test_what_was_deleted_before_that_time_stays_deleted(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], delete: Delete, back: BringBack
) -> None:
    path = of_kind(stored, "snapshots")
    delete(path)
    copier.run(copy.pk)
    RemovedObject.objects.update(removed_at=timezone.now() - timedelta(days=2))
    back(timezone.now() - timedelta(days=1))
    rest = {each: data for each, data in stored.items() if each != path}
    assert both(ours) == [rest, rest]


def test_first_seen_stays_what_it_was(
    stored: dict[str, bytes], delete: Delete, back: BringBack, before: datetime
) -> None:
    path = of_kind(stored, "data")
    seen = SeenObject.objects.get(name=path.rpartition("/")[2]).first_seen_at
    delete(path)
    back(before)
    assert SeenObject.objects.get(name=path.rpartition("/")[2]).first_seen_at == seen


@pytest.mark.parametrize("call", ["move", "entries", "sha256", "tree", "entry"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_cut_off_anywhere_it_goes_on(
    copy: PairedCopy,
    ours: MachineFolder,
    stored: dict[str, bytes],
    delete: Delete,
    back: BringBack,
    before: datetime,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    nth: int,
) -> None:
    """Whichever call to storage fails once."""
    for kind in ("snapshots", "data"):
        delete(of_kind(stored, kind))
    ours.put("snapshots", b"forged")
    real, calls = getattr(RcloneRegion, call), []

    def once(self: RcloneRegion, *args: object, **options: object) -> object:
        calls.append(args)
        if len(calls) == nth:
            raise StorageUnavailable("Local A is not responding.")
        return real(self, *args, **options)

    monkeypatch.setattr(RcloneRegion, call, once)
    assert back(before).state == OperationState.SUCCEEDED
    monkeypatch.undo()
    copy_schedule.schedule(copy.vault_id)
    copier.run(copy.pk)
    assert both(ours) == [stored, stored]


def test_nothing_is_purged_meanwhile(
    copy: PairedCopy, stored: dict[str, bytes], announced: None, delete: Delete, number: UUID, requester: Actor
) -> None:
    delete(of_kind(stored, "data"))
    assert MachineRepository.objects.get().held_at is None
    bring_back.start(copy.vault, number, as_of=timezone.now(), reason="Stolen.", actor=requester)
    assert MachineRepository.objects.get().held_reason == bring_back.HELD


def test_a_hold_outlives_it(stored: dict[str, bytes], delete: Delete, back: BringBack, before: datetime) -> None:
    delete(of_kind(stored, "data"))
    reason = MachineRepository.objects.get().held_reason
    back(before)
    assert MachineRepository.objects.get().held_reason == reason != ""


def test_its_own_hold_ends_with_it(stored: dict[str, bytes], announced: None, back: BringBack) -> None:
    back(timezone.now())
    assert MachineRepository.objects.get().held_at is None


class TestRefused:
    def test_out_of_the_period(self, copy: PairedCopy, number: UUID, requester: Actor) -> None:
        now = timezone.now()
        for wrong in (now - timedelta(days=14, seconds=1), now + timedelta(minutes=1)):
            with pytest.raises(Invalid) as found:
                bring_back.start(copy.vault, number, as_of=wrong, reason="Stolen.", actor=requester)
            assert list(found.value.errors) == ["as_of"]

    def test_without_a_reason(self, copy: PairedCopy, number: UUID, requester: Actor) -> None:
        with pytest.raises(Invalid) as found:
            bring_back.start(copy.vault, number, as_of=timezone.now(), reason="  ", actor=requester)
        assert list(found.value.errors) == ["reason"]
        assert not Operation.objects.filter(kind="bring-back").exists()

    def test_while_other_work_is_under_way(self, copy: PairedCopy, number: UUID, requester: Actor) -> None:
        bring_back.start(copy.vault, number, as_of=timezone.now(), reason="Stolen.", actor=requester)
        with pytest.raises(StaleState, match="Other work"):
            bring_back.start(copy.vault, UUID(int=5), as_of=timezone.now(), reason="Stolen.", actor=requester)
        assert AuditEvent.objects.filter(action="repository:bring-back").count() == 1


def test_one_that_did_not_end_has_people_decide(
    copy: PairedCopy,
    delete: Delete,
    stored: dict[str, bytes],
    number: UUID,
    requester: Actor,
    before: datetime,
    back: BringBack,
) -> None:
    """Not while it runs; then bringing back once more, with success, ends the hold."""
    path = of_kind(stored, "data")
    delete(path)
    MachineRepository.objects.update(held_at=None, held_reason="")
    operation = bring_back.start(copy.vault, number, as_of=before, reason="Stolen.", actor=requester)
    bring_back.tell_unfinished()
    assert MachineRepository.objects.get().held_reason == bring_back.HELD
    Operation.objects.filter(pk=operation.pk).update(state=OperationState.FAILED)
    for _ in range(2):
        bring_back.tell_unfinished()
    assert MachineRepository.objects.get().held_reason == bring_back.UNFINISHED
    held = [event.detail["reason"] for event in AuditEvent.objects.filter(action="purge:hold")]
    assert held.count(bring_back.UNFINISHED) == 1
    assert Notification.objects.get(key=f"purge:{number}").step.startswith(bring_back.UNFINISHED)
    back(before)
    assert MachineRepository.objects.get().held_at is None


def test_another_hold_is_left_alone(copy: PairedCopy, delete: Delete, stored: dict[str, bytes]) -> None:
    delete(of_kind(stored, "data"))
    reason = MachineRepository.objects.get().held_reason
    bring_back.tell_unfinished()
    assert MachineRepository.objects.get().held_reason == reason != ""
