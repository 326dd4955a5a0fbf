"""What is old enough to be deleted: by when the portal first saw it, whatever the object and its machine say."""

import time
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from portal.audit.models import AuditEvent
from tests.at_once import at_once
from tests.vaults.deleting import ACTOR, Delete, of_kind
from tests.vaults.stored import MachineFolder, digest
from vaults.models import MachineRepository, PairedCopy, RemovedObject, SeenObject, Vault
from vaults.regions.storage.base import RegionStorage
from vaults.trash import removals, repositories, repository_keys

YOUNG = timedelta(days=13, hours=23)
OLD = timedelta(days=14, minutes=1)


@pytest.mark.parametrize("kind", ["data", "snapshots"])
def test_what_was_seen_long_ago_goes_to_the_trash(
    stored: dict[str, bytes], ours: MachineFolder, delete: Delete, kind: str
) -> None:
    SeenObject.objects.update(first_seen_at=timezone.now() - OLD)
    path = of_kind(stored, kind)
    delete(path)
    assert not (ours.region / path).exists()
    assert (ours.region / "trash" / path).read_bytes() == stored[path]
    assert RemovedObject.objects.get().path == path


@pytest.mark.parametrize("kind", ["data", "snapshots"])
def test_what_is_young_stays(
    stored: dict[str, bytes], ours: MachineFolder, delete: Delete, kind: str, copy: PairedCopy
) -> None:
    path = of_kind(stored, kind)
    SeenObject.objects.update(first_seen_at=timezone.now() - YOUNG)
    with pytest.raises(removals.TooYoung, match="within the last 14 days"):
        delete(path)
    Vault.objects.update(minimum_retention_days=13)
    copy.vault.refresh_from_db()
    assert (ours.region / path).read_bytes() == stored[path]
    assert not RemovedObject.objects.exists()
    delete(path)
    assert not (ours.region / path).exists()


@pytest.mark.parametrize("kind", ["data", "snapshots"])
def test_what_was_never_seen_is_young_however_old_it_looks(
    ours: MachineFolder, stored: dict[str, bytes], delete: Delete, kind: str
) -> None:
    path = ours.put(kind, b"backdated", age=10 * 365 * 86400)
    with pytest.raises(removals.TooYoung):
        delete(path)
    assert (ours.region / path).exists()


def test_index_objects_go_at_any_age(ours: MachineFolder, stored: dict[str, bytes], delete: Delete) -> None:
    path = ours.put("index", b"of this very moment", age=0)
    delete(path)
    assert not (ours.region / path).exists()
    assert MachineRepository.objects.get().held_at is None


class TestLooks:
    def test_note_all_but_locks(self, copy: PairedCopy, ours: MachineFolder, number: UUID) -> None:
        kinds = {"data": 3, "index": 1, "keys": 1, "locks": 2, "snapshots": 2}
        paths = [ours.put(kind, f"{kind} {n}".encode()) for kind, count in kinds.items() for n in range(count)]
        ours.put_at("data/ab/not-a-name", b"odd")
        seen = repositories.look(copy.vault, number)
        rows = {(row.kind, row.name): row.size for row in SeenObject.objects.filter(machine_id=number)}
        assert rows == {
            (path.split("/")[2], path.rpartition("/")[2]): len((ours.region / path).read_bytes())
            for path in paths
            if "/locks/" not in path
        }
        assert seen.live_bytes == sum(len((ours.region / path).read_bytes()) for path in paths)
        assert seen.trash_bytes == 0

    def test_first_seen_stays(self, copy: PairedCopy, ours: MachineFolder, number: UUID) -> None:
        ours.put("snapshots", b"one")
        repositories.look(copy.vault, number)
        first = SeenObject.objects.get().first_seen_at
        ours.put("snapshots", b"one", age=0)
        repositories.look(copy.vault, number, thoroughly=True)
        assert SeenObject.objects.get().first_seen_at == first

    def test_list_the_trash_only_when_something_may_have_gone_there(
        self, copy: PairedCopy, ours: MachineFolder, number: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        listed, size = list[str](), removals.size

        def noted(storage: RegionStorage, machine: str) -> int:
            listed.append(machine)
            return size(storage, machine)

        monkeypatch.setattr(removals, "size", noted)
        repositories.look(copy.vault, number)
        repositories.look(copy.vault, number)
        assert len(listed) == 1
        path = ours.put("index", b"gone")
        removals.remove(copy.vault, number, "index", path.rpartition("/")[2], actor=ACTOR)
        assert repositories.look(copy.vault, number).trash_bytes == 4
        RemovedObject.objects.update(removed_at=timezone.now() - timedelta(days=1))
        assert repositories.look(copy.vault, number).trash_bytes == 4
        assert len(listed) == 2
        repositories.look(copy.vault, number, thoroughly=True)
        assert len(listed) == 3

    def test_what_is_backdated_is_found_by_the_thorough_ones(
        self, copy: PairedCopy, ours: MachineFolder, number: UUID
    ) -> None:
        ours.put("snapshots", b"one")
        repositories.look(copy.vault, number)
        ours.put("snapshots", b"backdated", age=10**8)
        repositories.look(copy.vault, number)
        assert SeenObject.objects.count() == 1
        MachineRepository.objects.update(looked_at=timezone.now() - timedelta(days=1))
        repositories.look(copy.vault, number)
        assert SeenObject.objects.count() == 2

    @pytest.mark.django_db(transaction=True)
    def test_many_at_once_agree(self, copy: PairedCopy, ours: MachineFolder, number: UUID) -> None:
        for n in range(20):
            ours.put("data", str(n).encode())
        at_once([lambda: repositories.look(copy.vault, number)] * 4)
        assert SeenObject.objects.count() == 20

    def test_a_wanted_one_is_made_once(self, copy: PairedCopy, ours: MachineFolder, number: UUID) -> None:
        repositories.want_look(copy.vault, number)
        ours.put("snapshots", b"one", age=0)
        repositories.look_where_wanted(until=time.monotonic() + 60)
        assert (SeenObject.objects.count(), MachineRepository.objects.get().look_due_at) == (1, None)
        ours.put("snapshots", b"two", age=0)
        repositories.look_where_wanted(until=time.monotonic() + 60)
        assert SeenObject.objects.count() == 1


class TestKeys:
    NAMES = [digest(str(n).encode()) for n in range(5)]

    def test_two_and_no_more(self, copy: PairedCopy, ours: MachineFolder, number: UUID) -> None:
        assert [repository_keys.reserve(copy.vault, number, name) for name in self.NAMES[:3]] == [True, True, False]
        assert repository_keys.reserve(copy.vault, number, self.NAMES[0])
        assert repository_keys.reserve(copy.vault, uuid4(), self.NAMES[2])

    def test_stored_ones_count_for_good(self, copy: PairedCopy, ours: MachineFolder, number: UUID) -> None:
        ours.put("keys", b"0")
        ours.put("keys", b"1")
        assert not repository_keys.reserve(copy.vault, number, self.NAMES[2])
        assert repository_keys.reserve(copy.vault, number, self.NAMES[1])

    def test_one_that_never_came_makes_room(self, copy: PairedCopy, ours: MachineFolder, number: UUID) -> None:
        for name in self.NAMES[:2]:
            repository_keys.reserve(copy.vault, number, name)
        SeenObject.objects.update(first_seen_at=timezone.now() - removals.UNSETTLED - timedelta(seconds=1))
        assert repository_keys.reserve(copy.vault, number, self.NAMES[3])

    @pytest.mark.django_db(transaction=True)
    def test_of_many_at_once_two_are_let_in(self, copy: PairedCopy, ours: MachineFolder, number: UUID) -> None:
        answers = at_once([partial(repository_keys.reserve, copy.vault, number, name) for name in self.NAMES])
        assert (answers.count(True), answers.count(False)) == (2, 3)


def test_young_deletions_leave_no_trace_in_the_log(stored: dict[str, bytes], delete: Delete) -> None:
    SeenObject.objects.update(first_seen_at=timezone.now())
    with pytest.raises(removals.TooYoung):
        delete(of_kind(stored, "data"))
    assert not AuditEvent.objects.filter(action__startswith="object:").exists()
