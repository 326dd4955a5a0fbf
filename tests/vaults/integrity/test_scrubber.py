"""The walk over all that a region stores: what it finds, how it resumes, how much it reads, what it leaves alone."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.notifications.models import Notification
from tests.vaults.stored import CONFIG, MachineFolder, digest, files
from vaults import copy_schedule, tasks
from vaults.integrity import scrub_schedule, scrubber
from vaults.models import PairedCopy, Region, Scrub, Vault
from vaults.regions.storage import layout
from vaults.regions.storage.base import StorageUnavailable
from vaults.regions.storage.rclone import RcloneRegion
from vaults.replication import copier

JUNK = "cd" * 32
KINDS = ("data", "index", "keys", "locks", "snapshots")


@pytest.fixture
def machine(storage: Path, vault: Vault) -> MachineFolder:
    return MachineFolder(storage / "local-a", vault.pk, uuid4())


def scrub(slug: str = "local-a") -> Scrub:
    """One slice of the region's walk, as if it were due."""
    scrub_schedule.overdue()
    row = Scrub.objects.get(region__slug=slug)
    Scrub.objects.filter(pk=row.pk).update(due_at=Now() - timedelta(seconds=1))
    scrubber.run(row.pk)
    return Scrub.objects.get(pk=row.pk)


def events(action: str = "object:quarantine") -> list[str]:
    """Objects that entries of this kind are about."""
    return [str(event.detail["object"]) for event in AuditEvent.objects.filter(action=action).order_by("id")]


@pytest.mark.parametrize("kind", KINDS)
def test_junk_of_each_kind_is_found_and_people_are_told(machine: MachineFolder, vault: Vault, kind: str) -> None:
    good = {machine.put(each, each.encode()): each.encode() for each in KINDS}
    good[machine.put_at("config", CONFIG)] = CONFIG
    junk = machine.put(kind, b"junk", name=JUNK)
    done = scrub()
    assert {f"{machine.path}/{path}": data for path, data in files(machine.region / machine.path).items()} == good
    assert events() == [junk]
    assert Notification.objects.get().subscription == vault.subscription
    assert (done.objects_compared, done.objects_set_aside, done.began_at, done.done_to) == (7, 1, None, "")
    assert (done.bytes_compared, done.lease_token) == (len(CONFIG) + sum(map(len, KINDS)) + 4, None)


def test_the_next_walk_is_a_week_after_the_beginning_of_this_one(machine: MachineFolder) -> None:
    done = scrub()
    assert done.finished_at is not None
    assert done.due_at is not None
    assert timedelta(days=7) - timedelta(minutes=1) < done.due_at - timezone.now() <= timedelta(days=7)
    assert scrub_schedule.overdue() == [Scrub.objects.get(region__slug="local-b").pk]


def test_an_upload_under_way_is_left_alone(machine: MachineFolder) -> None:
    half = machine.put("data", b"half", name=JUNK, age=0)
    assert scrub().objects_set_aside == 0
    assert (machine.region / half).exists()


def test_a_slice_ends_with_its_bytes_and_the_next_goes_on_behind_it(
    machine: MachineFolder, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sorted(machine.put("data", bytes([number]) * 40) for number in range(12))
    machine.put("data", b"junk", name="ff" * 32)
    monkeypatch.setattr("vaults.regions.storage.layout.BATCH_OBJECTS", 4)
    monkeypatch.setattr(scrubber, "SLICE", 1)
    settings.SCRUB_BYTES_A_SECOND = 100
    began = timezone.now()
    first = scrub()
    assert (first.done_to, first.objects_compared, first.objects_set_aside) == (paths[3], 4, 0)
    assert first.due_at is not None
    assert first.due_at - began > timedelta(seconds=1.5)  # 160 bytes at 100 in a second
    assert first.due_at - timezone.now() < timedelta(seconds=2)
    assert [scrub().objects_compared for _ in range(2)] == [8, 12]
    last = scrub()
    assert (last.done_to, last.objects_compared, last.objects_set_aside) == ("", 13, 1)
    assert (scrub().objects_compared, events()) == (4, [f"{machine.path}/data/ff/{'ff' * 32}"])  # a new walk


def test_the_walk_goes_over_all_vaults_and_machines_in_order(storage: Path, regions: object) -> None:
    folders = [MachineFolder(storage / "local-a", uuid4(), uuid4()) for _ in range(3)]
    stored = sorted(
        path
        for folder in folders
        for path in (folder.put_at("config", CONFIG), *(folder.put(kind, uuid4().bytes) for kind in KINDS))
    )
    seen: list[str] = []
    for after in ("", *stored):
        rest = [item.path for item in layout.walk(RcloneRegion("local-a", "Local A"), after)]
        assert rest == [path for path in stored if path > after]
        seen += rest[:1]
    assert seen == stored


def test_a_storage_that_does_not_answer_is_asked_again_at_the_same_place(
    machine: MachineFolder, faults: pytest.MonkeyPatch
) -> None:
    machine.put("data", b"good")

    def away(*args: object) -> None:
        raise StorageUnavailable("Local A is not responding.")

    faults.setattr(RcloneRegion, "sha256", away)
    waiting = scrub()
    assert (waiting.trouble, waiting.finished_at, waiting.lease_token) == (
        "Local A is not responding.",
        None,
        None,
    )
    assert waiting.due_at is not None
    assert waiting.due_at > timezone.now() + timedelta(minutes=4)
    faults.undo()
    assert (scrub().trouble, Scrub.objects.get(region__slug="local-a").finished_at is None) == ("", False)


def test_a_walk_that_another_worker_holds_is_left_to_it(machine: MachineFolder) -> None:
    scrub_schedule.overdue()
    row = Scrub.objects.get(region__slug="local-a")
    assert row.claim(60)
    assert scrub().finished_at is None
    assert row.pk not in scrub_schedule.overdue()


def test_the_beat_enqueues_what_is_due(
    regions: tuple[Region, Region],
    no_broker: list[tuple[str, tuple[object, ...]]],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    Region.objects.filter(slug="local-b").update(enabled=False)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.scrub()
    assert no_broker == [("vaults.scrub_region", (Scrub.objects.get().pk,))]


class TestTwice:
    """A geo-redundant vault has each object twice."""

    @pytest.fixture
    def pair(self, machine: MachineFolder, vault: Vault, storage: Path) -> MachineFolder:
        """The machine's folder in the pair, with all of a first backup; `machine` has it too."""
        machine.put_at("config", CONFIG)
        for kind in ("keys", "data", "index", "snapshots"):
            machine.put(kind, kind.encode())
        copy_schedule.create(vault)
        copy_schedule.schedule(vault.pk)
        copier.run(PairedCopy.objects.get().pk)
        folder = MachineFolder(storage / "local-b", vault.pk, uuid4())
        folder.path = machine.path
        return folder

    @pytest.mark.parametrize("slug", ["local-a", "local-b"])
    @pytest.mark.parametrize("kind", ["keys", "data", "index", "snapshots"])
    def test_what_is_damaged_in_one_region_comes_back_from_the_other(
        self, machine: MachineFolder, pair: MachineFolder, slug: str, kind: str
    ) -> None:
        """Also when its size is right, which copying does not look behind."""
        region = machine.region.with_name(slug)
        before = files(region / machine.path)
        damaged = MachineFolder.put(
            machine if slug == "local-a" else pair, kind, b"x" * len(kind), name=digest(kind.encode())
        )
        assert scrub(slug).objects_set_aside == 1
        assert files(region / machine.path) == before
        assert (events(), events("object:repair")) == ([damaged], [damaged])
        assert Notification.objects.get().title == 'A damaged object of vault "Payroll" was replaced.'

    def test_what_is_damaged_in_both_is_set_aside_in_both(self, machine: MachineFolder, pair: MachineFolder) -> None:
        for folder in (machine, pair):
            folder.put("data", b"bad!", name=digest(b"data"))
        assert [scrub(slug).objects_set_aside for slug in ("local-a", "local-b")] == [1, 1]
        assert events("object:repair") == []
        assert set(Notification.objects.values_list("state", flat=True)) == {"attention"}

    @pytest.mark.parametrize("slug", ["local-a", "local-b"])
    def test_half_a_config_comes_back_too(self, machine: MachineFolder, pair: MachineFolder, slug: str) -> None:
        folder = machine if slug == "local-a" else pair
        folder.put_at("config", CONFIG[:60])
        scrub(slug)
        assert (folder.region / folder.path / "config").read_bytes() == CONFIG
        assert events("object:repair") == [f"{machine.path}/config"]

    def test_half_a_config_is_not_copied_over_a_whole_one(
        self, machine: MachineFolder, pair: MachineFolder, vault: Vault
    ) -> None:
        machine.put_at("config", CONFIG[:60])
        copy_schedule.schedule(vault.pk)
        copier.run(PairedCopy.objects.get().pk)
        assert (pair.region / pair.path / "config").read_bytes() == CONFIG

    def test_configs_that_differ_are_reported_and_both_kept(self, machine: MachineFolder, pair: MachineFolder) -> None:
        machine.put_at("config", CONFIG[::-1])
        assert scrub().objects_set_aside == 0
        assert events("object:differs") == [f"{machine.path}/config"]
        assert Notification.objects.get().title == 'The copy of vault "Payroll" differs.'
        assert (pair.region / pair.path / "config").read_bytes() == CONFIG

    def test_a_pair_that_is_away_does_not_hold_up_the_walk(
        self, machine: MachineFolder, pair: MachineFolder, faults: pytest.MonkeyPatch
    ) -> None:
        junk = machine.put("data", b"bad!", name=digest(b"data"))
        sha256 = RcloneRegion.sha256

        def away(self: RcloneRegion, paths: list[str]) -> dict[str, str]:
            if self.slug == "local-b":
                raise StorageUnavailable("Local B is not responding.")
            return sha256(self, paths)

        faults.setattr(RcloneRegion, "sha256", away)
        assert scrub().objects_set_aside == 1
        assert (events(), events("object:repair")) == ([junk], [])
        assert Notification.objects.get().state == "attention"


def test_half_a_config_without_a_spare_is_set_aside_and_named(machine: MachineFolder, vault: Vault) -> None:
    machine.put_at("config", CONFIG[:60])
    scrub()
    assert events() == [f"{machine.path}/config"]
    assert "`config`" in Notification.objects.get().step
