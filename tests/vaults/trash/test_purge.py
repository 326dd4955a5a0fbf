"""When what lies in the trash is deleted for good, and when it is not."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.core.errors import Throttled
from portal.notifications.models import Notification
from tests.vaults.deleting import Delete, of_kind, pass_by
from tests.vaults.stored import MachineFolder, files
from vaults import copy_schedule
from vaults.models import MachineRepository, PairedCopy, RemovedObject, SeenObject, Vault
from vaults.regions.storage.base import StorageUnavailable
from vaults.regions.storage.rclone import RcloneRegion
from vaults.replication import copier
from vaults.trash import holds, purge, repositories


def trashed(ours: MachineFolder) -> list[int]:
    """How many objects of the machine each region has in its trash."""
    regions = (ours.region, ours.region.with_name("local-b"))
    return [len(files(region / "trash" / ours.path)) for region in regions]


@pytest.fixture
def deleted(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], announced: None, delete: Delete
) -> list[str]:
    """A snapshot and a pack that a retain deleted, in the trash of both regions."""
    paths = [of_kind(stored, "snapshots"), of_kind(stored, "data")]
    for path in paths:
        delete(path)
    copier.run(copy.pk)
    assert trashed(ours) == [2, 2]
    return paths


def go(number: UUID) -> bool:
    """One round of the clock; whether there was something to purge."""
    due = purge.overdue(100)
    for machine in due:
        purge.run(machine)
    return due == [number]


def whole(copy: PairedCopy, number: UUID) -> None:
    """A check that began now misses nothing."""
    repositories.note_whole(copy.vault, number, as_of=timezone.now())


def test_after_the_period_and_a_check_it_is_gone_from_both_regions(
    copy: PairedCopy, ours: MachineFolder, number: UUID, deleted: list[str], stored: dict[str, bytes]
) -> None:
    pass_by(15)
    whole(copy, number)
    assert go(number)
    assert trashed(ours) == [0, 0]
    assert not RemovedObject.objects.exists()
    gone = {path.rpartition("/")[2] for path in deleted}
    assert not SeenObject.objects.filter(name__in=gone).exists()
    event = AuditEvent.objects.get(action="trash:purge")
    size = sum(len(stored[path]) for path in deleted)
    assert event.detail == {"machine": str(number), "objects": 2, "bytes": size}
    assert Notification.objects.get(key=f"purge:{number}").state == "info"
    live = {path for path in stored if path not in deleted}
    assert {f"{ours.path}/{path}" for path in files(ours.region / ours.path)} == live
    assert not go(number)


def test_not_before_the_period_is_over(copy: PairedCopy, ours: MachineFolder, number: UUID, deleted: list[str]) -> None:
    Vault.objects.update(soft_delete_days=30)
    pass_by(29)
    whole(copy, number)
    assert not go(number)
    assert trashed(ours) == [2, 2]
    pass_by(2)
    assert go(number)
    assert trashed(ours) == [0, 0]


def test_not_without_a_check_and_people_are_told(
    copy: PairedCopy, ours: MachineFolder, number: UUID, deleted: list[str]
) -> None:
    pass_by(15)
    assert not go(number)
    assert trashed(ours) == [2, 2]
    assert "waits for a check" in Notification.objects.get(key=f"purge:{number}").title


def test_not_by_a_check_that_began_before_the_deletion(
    copy: PairedCopy, ours: MachineFolder, number: UUID, deleted: list[str]
) -> None:
    pass_by(15)
    repositories.note_whole(copy.vault, number, as_of=timezone.now() - timedelta(days=16))
    assert not go(number)
    repositories.note_whole(copy.vault, number, as_of=timezone.now() - timedelta(days=20))
    assert not go(number)
    assert trashed(ours) == [2, 2]


def test_not_while_it_is_held(copy: PairedCopy, ours: MachineFolder, number: UUID, deleted: list[str]) -> None:
    pass_by(15)
    whole(copy, number)
    MachineRepository.objects.update(held_at=timezone.now(), held_reason="Strange.")
    assert not go(number)
    MachineRepository.objects.update(due_at=timezone.now())  # enqueued before it was held
    purge.run(number)
    assert trashed(ours) == [2, 2]


def test_of_other_machines_nothing_goes(
    copy: PairedCopy, ours: MachineFolder, number: UUID, deleted: list[str]
) -> None:
    other = MachineFolder(ours.region, copy.vault_id, UUID(int=7))
    path = other.put_at("../../trash/" + f"{other.path}/index/{'0' * 64}", b"another's")
    RemovedObject.objects.create(
        vault=copy.vault,
        machine_id=UUID(int=7),
        path=f"{other.path}/index/{'0' * 64}",
        removed_at=timezone.now() - timedelta(days=20),
        moved_at=timezone.now() - timedelta(days=20),
    )
    pass_by(15)
    whole(copy, number)
    assert go(number)
    assert (ours.region / "trash" / other.path / "index" / ("0" * 64)).exists(), path


def test_one_that_was_killed_goes_on(
    copy: PairedCopy, ours: MachineFolder, number: UUID, deleted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_by(15)
    whole(copy, number)
    real, calls = RcloneRegion.delete, []

    def broken(self: RcloneRegion, path: str) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise StorageUnavailable("Local A is not responding.")
        real(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(RcloneRegion, "delete", broken)
        go(number)
    assert trashed(ours) == [1, 2]
    MachineRepository.objects.update(due_at=timezone.now())
    purge.run(number)
    assert trashed(ours) == [0, 0]
    assert AuditEvent.objects.filter(action="trash:purge").count() == 1
    assert not RemovedObject.objects.exists()


def test_the_entry_comes_before_the_deletion(
    copy: PairedCopy, ours: MachineFolder, number: UUID, deleted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No entry, no purge."""

    def broken(*args: object, **options: object) -> None:
        raise RuntimeError

    pass_by(15)
    whole(copy, number)
    monkeypatch.setattr(purge, "happened", broken)
    with pytest.raises(RuntimeError):
        go(number)
    assert trashed(ours) == [2, 2]


class TestStoredAgain:
    """An object that was deleted and then stored again: what is in the trash goes, what is live stays."""

    @pytest.fixture
    def again(self, copy: PairedCopy, ours: MachineFolder, deleted: list[str], stored: dict[str, bytes]) -> str:
        path = deleted[1]
        (ours.region / path).write_bytes(stored[path])
        copy_schedule.schedule(copy.vault_id)
        copier.run(copy.pk)
        assert RemovedObject.objects.get(path=path).live_again
        return path

    def test_stays(self, copy: PairedCopy, ours: MachineFolder, number: UUID, again: str) -> None:
        first = SeenObject.objects.get(name=again.rpartition("/")[2]).first_seen_at
        pass_by(15)
        whole(copy, number)
        assert go(number)
        assert trashed(ours) == [0, 0]
        assert (ours.region / again).exists()
        assert (ours.region.with_name("local-b") / again).exists()
        assert SeenObject.objects.get(name=again.rpartition("/")[2]).first_seen_at == first

    def test_junk_under_its_name_holds_the_purge(
        self, copy: PairedCopy, ours: MachineFolder, number: UUID, again: str, stored: dict[str, bytes]
    ) -> None:
        (ours.region / again).write_bytes(b"junk")
        pass_by(15)
        whole(copy, number)
        go(number)
        assert (ours.region / "trash" / again).read_bytes() == stored[again]
        assert MachineRepository.objects.get(pk=number).held_reason == purge.JUNK
        assert RemovedObject.objects.get(path=again).purging_at is None

    def test_deleting_it_again_waits_until_it_is_purged(
        self, copy: PairedCopy, ours: MachineFolder, number: UUID, again: str, delete: Delete
    ) -> None:
        """Else the deletion would rely on what the purge is about to take."""
        RemovedObject.objects.filter(path=again).update(purging_at=timezone.now())
        with pytest.raises(Throttled):
            delete(again)
        assert (ours.region / again).exists()

    def test_deleted_again_the_period_begins_anew(
        self, copy: PairedCopy, ours: MachineFolder, number: UUID, again: str, delete: Delete
    ) -> None:
        pass_by(15)
        delete(again)
        whole(copy, number)
        assert go(number)  # the snapshot
        assert (ours.region / "trash" / again).exists()
        assert [row.path for row in RemovedObject.objects.all()] == [again]


def test_release_lets_it_go_on(
    copy: PairedCopy, ours: MachineFolder, number: UUID, stored: dict[str, bytes], delete: Delete, requester: object
) -> None:
    delete(of_kind(stored, "data"))
    pass_by(15)
    whole(copy, number)
    assert not go(number)
    holds.release(copy.vault_id, number, "Done by hand.", actor=requester)  # type: ignore[arg-type]
    assert go(number)
    assert trashed(ours)[0] == 0
