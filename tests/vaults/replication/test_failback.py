"""What a region has lost comes back from its pair, and what a machine removed does not."""

import shutil
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.core.actor import Actor, Via
from portal.notifications.models import Notification
from tests.at_once import at_once
from tests.rows import now
from tests.vaults.stored import CONFIG, MachineFolder, backup, digest, files
from vaults import copy_schedule
from vaults.integrity import losses, verify
from vaults.models import LostObject, PairedCopy, Region, RemovedObject
from vaults.regions.storage.rclone import RcloneRegion
from vaults.replication import copier
from vaults.trash import removals

ACTOR = Actor(label="machine db-01", via=Via.AGENT)


@pytest.fixture
def ours(storage: Path, copy: PairedCopy) -> MachineFolder:
    return MachineFolder(storage / "local-a", copy.vault_id, uuid4())


@pytest.fixture
def stored(copy: PairedCopy, ours: MachineFolder) -> dict[str, bytes]:
    """A backup that both regions have; the next round is due."""
    found = backup(ours, b"one ")
    copier.run(copy.pk)
    copy_schedule.schedule(copy.vault_id)
    assert both(ours) == (found, found)
    return found


def both(machine: MachineFolder) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What each region has of the machine, by path in the region."""
    first, pair = (
        {f"{machine.path}/{path}": data for path, data in files(region / machine.path).items()}
        for region in (machine.region, machine.region.with_name("local-b"))
    )
    return first, pair


def remove(copy: PairedCopy, path: str) -> None:
    _, machine, _, name = path.split("/")
    removals.remove(copy.vault, UUID(machine), "index", name, actor=ACTOR)


def index_of(stored: Iterable[str]) -> str:
    return next(path for path in stored if "/index/" in path)


@pytest.mark.parametrize("slug", ["local-a", "local-b"])
def test_nothing_is_written_to_a_region_whose_disk_is_not_mounted(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], storage: Path, slug: str
) -> None:
    """Not even the vault's folder is there, where machines have stored: absence is not emptiness."""
    folder = storage / slug / str(copy.vault_id)
    away = folder.rename(storage / f"unmounted-{slug}")
    copier.run(copy.pk)
    assert not folder.exists()
    trouble = PairedCopy.objects.get().trouble
    assert trouble.startswith(f"Local {slug[-1].upper()} does not have the folder of this vault at all.")
    away.rename(folder)
    copy_schedule.schedule(copy.vault_id)
    copier.run(copy.pk)
    assert (both(ours), PairedCopy.objects.get().trouble) == ((stored, stored), "")


def test_a_vault_whose_folder_was_lost_comes_back_into_one_that_somebody_has_made(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], storage: Path
) -> None:
    folder = storage / "local-a" / str(copy.vault_id)
    shutil.rmtree(folder)
    folder.mkdir()
    copier.run(copy.pk)
    assert both(ours) == (stored, stored)


@pytest.mark.parametrize("kind", ["config", "data", "index", "keys", "snapshots", ""])
def test_what_the_first_region_has_lost_comes_back(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], kind: str
) -> None:
    """Objects of each type, and all at once; audited, and the vault's members told."""
    lost = sorted(path for path in stored if not kind or path.split("/")[2] == kind)
    for path in lost:
        (ours.region / path).unlink()
    copier.run(copy.pk)
    assert both(ours) == (stored, stored)
    event = AuditEvent.objects.get(action="object:repair")
    assert (sorted(event.detail["objects"]), event.detail["region"], event.detail["from"], event.vault_id) == (
        lost,
        "local-a",
        "local-b",
        copy.vault_id,
    )
    entry = Notification.objects.get(title='Lost objects of vault "Payroll" were brought back.')
    assert entry.subscription == copy.vault.subscription
    assert (now(copy).trouble, now(copy).complete_as_of is None) == ("", False)


def test_a_machine_of_which_nothing_is_left_comes_back(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes]
) -> None:
    (ours.region / ours.path).rename(ours.region / "elsewhere")
    copier.run(copy.pk)
    assert both(ours) == (stored, stored)


def test_a_lost_object_that_the_pair_has_only_damaged_is_lost_everywhere(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes]
) -> None:
    pack = next(path for path in stored if "/data/" in path)
    (ours.region / pack).unlink()
    (ours.region.with_name("local-b") / pack).write_bytes(bytes(len(stored[pack])))
    machine = UUID(ours.path.partition("/")[2])
    assert not losses.known_to_be_damaged(machine)
    copier.run(copy.pk)
    rest = {path: data for path, data in stored.items() if path != pack}
    assert both(ours) == (rest, rest)
    assert AuditEvent.objects.get(action="object:quarantine").detail["region"] == "local-b"
    assert not AuditEvent.objects.filter(action="object:repair").exists()
    assert losses.known_to_be_damaged(machine)


def test_a_config_that_is_there_is_not_replaced(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], faults: pytest.MonkeyPatch
) -> None:
    """A machine that is set up anew stores another one between our look and our copying."""
    path = f"{ours.path}/config"
    (ours.region / path).unlink()
    other = CONFIG[::-1]
    copy_to = RcloneRegion.copy_to

    def meanwhile(self: RcloneRegion, to: RcloneRegion, paths: list[str], **options: object) -> set[str]:
        ours.put_at("config", other)
        return copy_to(self, to, paths, **options)  # type: ignore[arg-type]

    faults.setattr(RcloneRegion, "copy_to", meanwhile)
    copier.run(copy.pk)
    first, pair = both(ours)
    assert (first[path], pair[path]) == (other, CONFIG)


class TestRemoved:
    """What its machine removed is not lost."""

    def test_stays_away_and_leaves_the_pair_too(
        self, copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes]
    ) -> None:
        index = index_of(stored)
        remove(copy, index)
        copier.run(copy.pk)
        rest = {path: data for path, data in stored.items() if path != index}
        assert both(ours) == (rest, rest)
        for region in ("local-a", "local-b"):
            assert (ours.region.with_name(region) / "trash" / index).read_bytes() == stored[index]
        assert not AuditEvent.objects.filter(action="object:repair").exists()
        assert now(copy).trouble == ""

    def test_stored_again_is_live_in_both(
        self, copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes]
    ) -> None:
        index = index_of(stored)
        remove(copy, index)
        copier.run(copy.pk)
        (ours.region / index).write_bytes(stored[index])
        copy_schedule.schedule(copy.vault_id)
        copier.run(copy.pk)
        assert (both(ours), RemovedObject.objects.get().live_again) == ((stored, stored), True)
        (ours.region / index).unlink()
        copy_schedule.schedule(copy.vault_id)
        copier.run(copy.pk)
        assert both(ours) == (stored, stored)

    @pytest.mark.parametrize("call", ["tree", "copy_to", "sha256"])
    def test_in_mid_round_ends_in_the_trash_of_both(
        self, copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], faults: pytest.MonkeyPatch, call: str
    ) -> None:
        """Before or after each call to storage of a round that also brings something back."""
        index = index_of(stored)
        (ours.region / next(path for path in stored if "/keys/" in path)).unlink()
        original, calls = getattr(RcloneRegion, call), 0

        def meanwhile(self: RcloneRegion, *args: object, **options: object) -> object:
            nonlocal calls
            result = original(self, *args, **options)
            if not RemovedObject.objects.exists():
                remove(copy, index)
            return result

        faults.setattr(RcloneRegion, call, meanwhile)
        copier.run(copy.pk)
        faults.undo()
        for _ in range(2):
            copy_schedule.schedule(copy.vault_id)
            copier.run(copy.pk)
        rest = {path: data for path, data in stored.items() if path != index}
        assert both(ours) == (rest, rest)

    def test_while_it_is_brought_back_goes_away_again(
        self, copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], faults: pytest.MonkeyPatch
    ) -> None:
        index = index_of(stored)
        (ours.region / index).unlink()
        copy_to = RcloneRegion.copy_to

        def meanwhile(self: RcloneRegion, to: RcloneRegion, paths: list[str], **options: object) -> set[str]:
            gone = copy_to(self, to, paths, **options)  # type: ignore[arg-type]
            if self.slug == "local-b" and not RemovedObject.objects.exists():
                remove(copy, index)
            return gone

        faults.setattr(RcloneRegion, "copy_to", meanwhile)
        copier.run(copy.pk)
        faults.undo()
        copy_schedule.schedule(copy.vault_id)
        copier.run(copy.pk)
        rest = {path: data for path, data in stored.items() if path != index}
        assert both(ours) == (rest, rest)


@pytest.mark.django_db(transaction=True)
def test_rounds_scrubs_and_removals_at_once(copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes]) -> None:
    """However they interleave: what was lost or damaged is whole in both regions, what was removed is in neither."""
    for number in range(6):
        stored |= backup(ours, f"more {number} ".encode())
    copier.run(copy.pk)
    indexes = sorted(path for path in stored if "/index/" in path)
    removed, others = indexes[:3], sorted(set(stored) - set(indexes))
    others = [path for path in others if not path.endswith("/config")]
    for path in others[::2]:
        (ours.region / path).unlink()
    for path in others[1::2]:
        (ours.region.with_name("local-b") / path).write_bytes(bytes(len(stored[path])))
    region_a, region_b = copy.vault.region, copy.region

    def round_after_round() -> None:
        for _ in range(4):
            copy_schedule.schedule(copy.vault_id)
            copier.run(copy.pk)

    def scrub(region: Region) -> None:
        verify.check_region(region, since=None)

    outcomes = at_once(
        [
            round_after_round,
            lambda: scrub(region_a),
            lambda: scrub(region_b),
            *[lambda path=path: remove(copy, path) for path in removed],
        ]
    )
    assert outcomes == [None] * len(outcomes)
    for _ in range(2):
        copy_schedule.schedule(copy.vault_id)
        copier.run(copy.pk)
    rest = {path: data for path, data in stored.items() if path not in removed}
    assert both(ours) == (rest, rest)
    assert now(copy).trouble == ""


class TestDamage:
    """The portal knows of it until a check that began afterwards has passed."""

    @pytest.fixture
    def machine(self, copy: PairedCopy, ours: MachineFolder, regions: tuple[Region, Region]) -> UUID:
        ours.put("data", b"junk", name="ab" * 32)
        verify.check_region(regions[0], since=None)
        return UUID(ours.path.partition("/")[2])

    def test_ends_with_a_check_begun_later(self, machine: UUID) -> None:
        losses.settle(machine, before=timezone.now() - timedelta(minutes=1))
        assert losses.known_to_be_damaged(machine)
        losses.settle(machine, before=timezone.now())
        assert not losses.known_to_be_damaged(machine)

    def test_is_of_one_machine(self, machine: UUID) -> None:
        losses.settle(uuid4(), before=timezone.now())
        assert losses.known_to_be_damaged(machine)
        assert not losses.known_to_be_damaged(uuid4())

    def test_ends_for_an_object_that_is_there_again(self, machine: UUID) -> None:
        path = LostObject.objects.get().path
        losses.found_again([f"{path}x"])
        assert losses.known_to_be_damaged(machine)
        losses.found_again([path])
        assert not losses.known_to_be_damaged(machine)

    def test_locks_are_none(self, ours: MachineFolder, regions: tuple[Region, Region]) -> None:
        ours.put("locks", b"junk", name=digest(b"other"))
        verify.check_region(regions[0], since=None)
        assert AuditEvent.objects.filter(action="object:quarantine").exists()
        assert not LostObject.objects.exists()

    def test_what_the_pair_has_whole_is_none(
        self, copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], regions: tuple[Region, Region]
    ) -> None:
        pack = next(path for path in stored if "/data/" in path)
        (ours.region / pack).write_bytes(bytes(len(stored[pack])))
        verify.check_region(regions[0], since=None)
        assert (both(ours), LostObject.objects.count()) == ((stored, stored), 0)
