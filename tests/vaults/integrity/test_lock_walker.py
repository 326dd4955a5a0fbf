"""Locks of what is live are extended, again and again; what nobody needs goes when its own lock has ended."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.health import heartbeats
from portal.notifications.models import Notification
from tests.rows import now
from tests.vaults import locked as store
from tests.vaults.deleting import ACTOR, of_kind, pass_by
from tests.vaults.locked import Locked
from tests.vaults.stores import Store, seaweed
from vaults.admin import object_lock_of
from vaults.integrity import lock_schedule, lock_walker
from vaults.models import LockWalk, MachineRepository, Region, RemovedObject, SeenObject, Vault
from vaults.regions import object_lock
from vaults.regions.storage.rclone import region_storage
from vaults.regions.storage.versions import VersionedBucket
from vaults.trash import purge, removals, repositories

pytestmark = [pytest.mark.system, pytest.mark.django_db]
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with seaweed(tmp_path_factory.mktemp("weed")) as running:
        store.make_buckets(running)
        yield running


@pytest.fixture
def locked(weed: Store, make_vault: Callable[..., Vault], tmp_path: Path) -> Iterator[Locked]:
    """A machine's vault in a region of the test's own."""
    root = f"the root {uuid4().hex[:12]}"
    with pytest.MonkeyPatch.context() as patch, store.served(store.regions_file(weed, root), tmp_path, patch):
        region = Region.objects.create(slug="locked", name="Locked")
        yield Locked(region, make_vault(region=region), uuid4(), weed.s3(), root)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Has the walks happen in so many days."""

    def later(days: int) -> None:
        moment = timezone.now() + days * DAY
        monkeypatch.setattr(lock_walker, "timezone", SimpleNamespace(now=lambda: moment))
        monkeypatch.setattr(lock_walker.Turn, "today", property(lambda self: (moment.date() - lock_walker.EPOCH).days))

    return later


def walk() -> LockWalk:
    """One walk, to its end."""
    LockWalk.objects.update(due_at=timezone.now() - DAY)
    for _ in range(100):
        due = lock_schedule.overdue()
        if not due:
            break
        lock_walker.run(due[0])
    found = LockWalk.objects.get()
    assert (found.trouble, found.began_at) == ("", None)
    return found


def test_all_that_is_live_is_locked_anew(locked: Locked) -> None:
    """Uploaded long ago, as far as the store knows: here with locks of a day."""
    stored = locked.backup(b"one ")
    assert {tuple(locked.days_left(path)) for path in stored} == {(30,)}
    old = locked.folder + "/data/aa/" + "a" * 64
    locked.bucket.write_locked(old, b"old", timezone.now() + DAY)
    SeenObject.objects.create(
        vault=locked.vault, machine_id=locked.machine, kind="data", name="a" * 64, size=3, first_seen_at=timezone.now()
    )
    done = walk()
    assert (locked.days_left(old), done.locks_extended) == ([30], 6)
    event = AuditEvent.objects.get(action="region:lock")
    assert (event.detail["extended"], event.target_id) == (6, str(locked.region.pk))


def test_each_is_extended_before_a_third_of_its_time_is_over(
    locked: Locked, at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Day by day, each has its turn once in ten days, and all together have the same share of each day."""
    stored = locked.backup(b"one ")
    turns: dict[str, list[int]] = {path: [] for path in stored}
    walk()
    for day in range(1, 31):
        at(day)
        monkeypatch.setattr(VersionedBucket, "lock", lambda self, each, until, day=day: turns[each.path].append(day))
        monkeypatch.setattr(lock_walker, "_read_back", lambda bucket, done: len(done))
        walk()
    for days in turns.values():
        assert len(days) == 3
        assert [later - earlier for earlier, later in pairwise(days)] == [10, 10]
        assert days[0] <= 10


def test_days_without_a_walk_are_made_up_for(
    locked: Locked, at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = locked.backup(b"one ")
    walk()
    at(12)
    assert walk().locks_extended == len(stored)
    at(19)
    locks: list[str] = []
    monkeypatch.setattr(VersionedBucket, "lock", lambda self, each, until: locks.append(each.path))
    monkeypatch.setattr(lock_walker, "_read_back", lambda bucket, done: len(done))
    walk()
    at(22)
    walk()
    assert sorted(locks) == sorted(stored)


def test_a_long_soft_delete_period_has_longer_locks(locked: Locked) -> None:
    Vault.objects.update(soft_delete_days=180)
    path = of_kind(locked.backup(b"one "), "data")
    walk()
    assert locked.days_left(path) == [192]


def test_what_was_deleted_is_locked_for_as_long_as_it_can_come_back(locked: Locked) -> None:
    """And no longer, so that it can be purged; what is held stays locked like what is live."""
    Vault.objects.update(soft_delete_days=60)
    path = of_kind(locked.backup(b"one "), "data")
    removals.remove(locked.vault, locked.machine, "data", path.rpartition("/")[2], actor=ACTOR)
    MachineRepository.objects.update(held_at=None, held_reason="")
    walk()
    assert (locked.days_left(path), locked.days_left(f"trash/{path}")) == ([62], [62])
    MachineRepository.objects.update(held_at=timezone.now())
    LockWalk.objects.update(extended_to_day=None)
    walk()
    assert (locked.days_left(path), locked.days_left(f"trash/{path}")) == ([72], [72])


def test_what_lies_below_junk_and_markers_stays_locked(locked: Locked) -> None:
    stored = locked.backup(b"one ")
    data, index = of_kind(stored, "data"), of_kind(stored, "index")
    locked.replace(data, b"other")
    locked.delete(index)
    Vault.objects.update(soft_delete_days=100)
    found = walk()
    assert (locked.days_left(data)[-1], locked.days_left(index)) == (112, [112])
    assert found.hidden == {str(locked.vault.pk): 2}
    assert "2 objects in Locked were deleted or replaced" in heartbeats.troubles(["object lock locked"]).popitem()[1]
    told = Notification.objects.get(key=f"hidden:{locked.vault.pk}:locked")
    assert (told.state, told.step[:9]) == ("attention", "2 objects")
    assert AuditEvent.objects.get(action="object:hidden").detail == {"region": "locked", "objects": 2}
    for path in (data, index):
        locked.bucket.bring_forward(locked.versions(path)[-1], path)
    walk()
    assert not Notification.objects.filter(pk=told.pk).exists()
    assert not heartbeats.troubles(["object lock locked"])


def test_what_nobody_needs_is_erased_when_its_lock_has_ended(
    locked: Locked, at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old locks of restic, probes that were written again, objects that were purged: until then they wait, in bytes."""
    stored = locked.backup(b"one ")
    storage = region_storage(locked.region)
    for _ in range(3):
        storage.write("strongroom/probe", b"probe")
    storage.write(f"{locked.folder}/locks/{'b' * 64}", b"lock")
    storage.delete(f"{locked.folder}/locks/{'b' * 64}")
    purged = of_kind(stored, "data")
    storage.delete(purged)
    SeenObject.objects.filter(kind="data").delete()
    before = len(locked.versions())
    found = walk()
    assert (found.versions_erased, found.bytes_waiting) == (0, 2 * 5 + 4 + len(stored[purged]))
    assert len(locked.versions()) == before
    # The store's clock cannot be turned: an unlocked version stands for one whose lock has ended.
    locked.replace("strongroom/old", b"old")
    locked.replace("strongroom/old", b"new")
    at(31)
    found = walk()
    assert (found.versions_erased, found.bytes_erased) == (1, 3)
    assert [each.size for each in locked.versions("strongroom/old")] == [3]
    assert found.bytes_waiting == 2 * 5 + 4 + len(stored[purged])
    assert locked.there() == {path: data for path, data in stored.items() if path != purged}


def test_a_marker_goes_only_when_nothing_is_below_it(locked: Locked, at: Callable[[int], None]) -> None:
    """Else what it hides would be there again."""
    locked.replace("strongroom/gone", b"x")
    (only,) = locked.versions("strongroom/gone")
    locked.delete("strongroom/gone")
    at(31)
    walk()
    assert [each.marker for each in locked.versions("strongroom/gone")] == [True]
    assert only.id not in {each.id for each in locked.versions("strongroom/gone")}
    walk()
    assert locked.versions("strongroom/gone") == []


def test_slices_do_as_much_as_one_walk(locked: Locked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is saved: whoever is killed between two leaves the rest to be done."""
    stored = {**locked.backup(b"one "), **locked.backup(b"two ")}
    monkeypatch.setattr("vaults.regions.storage.versions.PAGE", 2)
    monkeypatch.setattr(lock_walker, "LONGEST", -1)
    found = walk()
    assert (found.locks_extended, found.versions_seen) == (len(stored) + 1, len(stored) + 1)  # config was stored twice


def test_a_store_that_refuses_is_told_and_tried_again(locked: Locked, monkeypatch: pytest.MonkeyPatch) -> None:
    locked.backup(b"one ")
    with monkeypatch.context() as patch:
        patch.setattr(VersionedBucket, "locked_until", lambda self, version: None)
        lock_schedule.overdue()
        lock_walker.run(LockWalk.objects.get().pk)
    found = LockWalk.objects.get()
    assert found.trouble == "Locked has taken a lock, and does not have it."
    assert (found.lease_token, found.finished_at) == (None, None)
    assert found.due_at is not None
    assert found.due_at > timezone.now()
    assert "not extended" in heartbeats.troubles(["object lock locked"])["object lock locked"]
    LockWalk.objects.update(began_at=timezone.now() - 4 * DAY)
    lock_schedule.tell_late()
    told = Notification.objects.get(key="object-lock:locked")
    assert (told.state, told.for_approvers) == ("attention", True)
    walk()
    assert not Notification.objects.filter(pk=told.pk).exists()


def test_what_was_not_moved_yet_is_not_said_to_be_hidden(locked: Locked) -> None:
    path = of_kind(locked.backup(b"one "), "data")
    removals.remove(locked.vault, locked.machine, "data", path.rpartition("/")[2], actor=ACTOR)
    RemovedObject.objects.update(moved_at=None)
    assert walk().hidden == {}
    locked.delete(f"trash/{path}")
    RemovedObject.objects.update(moved_at=timezone.now())
    assert walk().hidden == {str(locked.vault.pk): 1}
    assert now(locked.vault).soft_delete_days == 14


def test_what_was_purged_is_freed_when_its_lock_ends(locked: Locked, at: Callable[[int], None]) -> None:
    """It does not keep the purge from its end, is out of reach at once, and both its versions wait for their locks."""
    stored = locked.backup(b"one ")
    path = of_kind(stored, "data")
    removals.remove(locked.vault, locked.machine, "data", path.rpartition("/")[2], actor=ACTOR)
    MachineRepository.objects.update(held_at=None, held_reason="")
    pass_by(15)
    repositories.note_whole(locked.vault, locked.machine, as_of=timezone.now())
    assert purge.overdue(10) == [locked.machine]
    purge.run(locked.machine)
    assert not RemovedObject.objects.exists()
    assert region_storage(locked.region).tree("trash") == []
    told = Notification.objects.get(key=f"purge:{locked.machine}")
    assert "Locked frees the room when the object locks end." in told.step
    assert walk().bytes_waiting == 2 * len(stored[path])
    assert "that nobody needs waits for its lock to end" in object_lock_of(Region.objects.get(pk=locked.region.pk))
    at(31)
    assert walk().bytes_waiting == 2 * len(stored[path])  # the store's clock has not come so far: asked, it says no
    for place in (path, f"trash/{path}"):
        assert [each.marker for each in locked.versions(place)] == [True, False]


def test_the_page_of_regions_tells_of_it(locked: Locked, monkeypatch: pytest.MonkeyPatch) -> None:
    assert object_lock_of(locked.region) == "30 days. Not extended so far."
    stored = locked.backup(b"one ")
    locked.delete(of_kind(stored, "data"))
    walk()
    said = object_lock_of(Region.objects.get(pk=locked.region.pk))
    assert said.startswith("30 days. Extended ")
    assert said.endswith("1 object deleted or replaced in the store itself.")
    assert object_lock_of(Region.objects.create(slug="versions", name="Versions")) == "None"


def test_nothing_is_told_of_a_region_without_object_lock(locked: Locked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its entry in the regions file was changed after there had been troubles."""
    locked.backup(b"one ")
    with monkeypatch.context() as patch:
        patch.setattr(VersionedBucket, "locked_until", lambda self, version: None)
        lock_schedule.overdue()
        lock_walker.run(LockWalk.objects.get().pk)
    assert heartbeats.troubles(["object lock locked"])
    monkeypatch.setattr(object_lock, "locks", lambda region: False)
    assert lock_schedule.overdue() == []
    assert not LockWalk.objects.exists()
    assert not heartbeats.troubles(["object lock locked"])
