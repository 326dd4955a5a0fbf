"""Snapshots that an administrator moves to the trash, and back: in both regions, through copy rounds, cut off."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.core.actor import Actor, Via
from portal.core.errors import NotFound
from portal.notifications.models import Notification
from tests.vaults.stored import MachineFolder, backup, files
from vaults import copy_schedule
from vaults.integrity import losses
from vaults.models import LostObject, PairedCopy, RemovedObject
from vaults.recovery import snapshot_trash
from vaults.regions.storage import layout
from vaults.regions.storage.base import StorageUnavailable
from vaults.regions.storage.rclone import RcloneRegion, region_storage
from vaults.replication import copier
from vaults.trash import removals

ACTOR = Actor(label="snapshots", via=Via.COMMAND)
JUNK = b"no snapshot of restic's"


@pytest.fixture
def ours(storage: Path, copy: PairedCopy) -> MachineFolder:
    """A machine with a sound backup and a junk snapshot in both regions."""
    machine = MachineFolder(storage / "local-a", copy.vault_id, uuid4())
    backup(machine, b"one ")
    machine.put("snapshots", JUNK)
    copier.run(copy.pk)
    return machine


@pytest.fixture
def junk(ours: MachineFolder, copy: PairedCopy) -> str:
    """The name of the junk snapshot."""
    return next(path.name for path in (ours.region / ours.path / "snapshots").iterdir() if path.read_bytes() == JUNK)


def places(machine: MachineFolder, name: str) -> list[str]:
    """Where an object of that name lies: each region's, and each region's trash."""
    root = machine.region.parent
    return sorted(str(file.relative_to(root)).replace(machine.path, "M") for file in root.rglob(f"{name}*"))


def number(machine: MachineFolder) -> UUID:
    return UUID(machine.path.partition("/")[2])


def move(step: Callable[..., str], machine: MachineFolder, copy: PairedCopy, snapshot: str) -> str:
    return step(copy.vault, number(machine), snapshot, "Junk of a stolen key", actor=ACTOR)


def next_round(copy: PairedCopy) -> None:
    copy_schedule.schedule(copy.vault_id)
    copier.run(copy.pk)
    copy.refresh_from_db()
    assert copy.trouble == ""


def stored(name: str) -> list[str]:
    return [f"local-a/M/snapshots/{name}", f"local-b/M/snapshots/{name}"]


def trashed(name: str) -> list[str]:
    return [f"local-a/trash/M/snapshots/{name}", f"local-b/trash/M/snapshots/{name}"]


def test_it_goes_to_the_trash_of_both_regions_and_stays_there(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    rest = {path for path in files(ours.region / ours.path) if junk not in path}
    assert move(snapshot_trash.trash, ours, copy, junk[:8]) == junk
    assert places(ours, junk) == trashed(junk)
    next_round(copy)
    next_round(copy)
    assert places(ours, junk) == trashed(junk)
    for region in ("local-a", "local-b"):
        assert set(files(ours.region.with_name(region) / ours.path)) == rest
    row = RemovedObject.objects.get()
    assert (row.moved_at is None, row.audited) == (False, True)


def test_the_log_and_the_vaults_people_are_told_why(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    move(snapshot_trash.trash, ours, copy, junk)
    event = AuditEvent.objects.get(action="snapshot:trash")
    told = {"machine": str(number(ours)), "snapshot": junk, "reason": "Junk of a stolen key"}
    assert (event.actor_label, event.vault_id, event.detail) == ("snapshots", copy.vault_id, told)
    notice = Notification.objects.get(key=f"trash:{number(ours)}:{junk}")
    assert notice.subscription_id == copy.vault.subscription_id
    assert junk[:8] in notice.step
    assert "Junk of a stolen key" in notice.step
    removals.write_counts()
    assert not AuditEvent.objects.filter(action="object:remove").exists()


def test_put_back_undoes_it(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    move(snapshot_trash.trash, ours, copy, junk)
    next_round(copy)
    assert move(snapshot_trash.put_back, ours, copy, junk[:10]) == junk
    next_round(copy)
    assert places(ours, junk) == stored(junk)
    assert RemovedObject.objects.count() == 0
    assert AuditEvent.objects.get(action="snapshot:put-back").detail["snapshot"] == junk


def test_people_are_told_that_it_is_back(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    move(snapshot_trash.trash, ours, copy, junk)
    move(snapshot_trash.put_back, ours, copy, junk)
    notice = Notification.objects.get(key=f"trash:{number(ours)}:{junk}")
    assert "was put back from the trash" in notice.title
    assert "is listed and restored again. The reason given: Junk of a stolen key" in notice.step
    assert notice.subscription_id == copy.vault.subscription_id


def spoil(machine: MachineFolder, place: str) -> Path:
    """Damage the object at a place as `places` gives it."""
    file = machine.region.parent / place.replace("M", machine.path)
    file.write_bytes(b"rotten")
    return file


def test_one_that_is_damaged_in_every_trash_is_not_put_back(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    move(snapshot_trash.trash, ours, copy, junk)
    for place in trashed(junk):
        spoil(ours, place)
    before, said = files(ours.region.parent), Notification.objects.get(key=f"trash:{number(ours)}:{junk}").title
    with pytest.raises(snapshot_trash.NotWhole, match="No region has"):
        move(snapshot_trash.put_back, ours, copy, junk)
    assert files(ours.region.parent) == before
    assert RemovedObject.objects.count() == 1
    assert not AuditEvent.objects.filter(action="snapshot:put-back").exists()
    assert Notification.objects.get(key=f"trash:{number(ours)}:{junk}").title == said


@pytest.mark.parametrize("damaged", [0, 1])
def test_one_that_is_damaged_in_one_trash_comes_from_the_other(
    ours: MachineFolder, copy: PairedCopy, junk: str, damaged: int
) -> None:
    move(snapshot_trash.trash, ours, copy, junk)
    spoil(ours, trashed(junk)[damaged])
    move(snapshot_trash.put_back, ours, copy, junk)
    assert places(ours, junk) == sorted([stored(junk)[1 - damaged], trashed(junk)[damaged]])
    next_round(copy)
    assert places(ours, junk) == sorted([*stored(junk), trashed(junk)[damaged]])
    assert {files(ours.region.with_name(each) / ours.path)[f"snapshots/{junk}"] for each in ("local-a", "local-b")} == {
        JUNK
    }


def test_one_with_a_date_in_its_name_is_put_back(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    """Beside a damaged one, which was in the trash before it."""
    place = ours.region / "trash" / ours.path / "snapshots" / junk
    place.parent.mkdir(parents=True)
    place.write_bytes(b"rotten")
    (ours.region.with_name("local-b") / ours.path / "snapshots" / junk).unlink()
    move(snapshot_trash.trash, ours, copy, junk)
    assert len(list(place.parent.iterdir())) == 2
    assert [each.name for each in of_machine(ours, copy) if each.trashed] == [junk, junk]
    move(snapshot_trash.put_back, ours, copy, junk)
    assert [file.read_bytes() for file in place.parent.iterdir()] == [b"rotten"]
    assert (ours.region / ours.path / "snapshots" / junk).read_bytes() == JUNK


def test_junk_that_was_stored_in_its_place_gives_way(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    move(snapshot_trash.trash, ours, copy, junk)
    ours.put("snapshots", b"rotten", name=junk)
    move(snapshot_trash.put_back, ours, copy, junk)
    assert places(ours, junk) == stored(junk)
    assert (ours.region / ours.path / "snapshots" / junk).read_bytes() == JUNK


def test_one_that_was_cut_off_is_put_back_by_the_next_try(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    move(snapshot_trash.trash, ours, copy, junk)
    moved = ours.region / "trash" / ours.path / "snapshots" / junk
    moved.rename(ours.region / ours.path / "snapshots" / junk)
    spoil(ours, trashed(junk)[1])
    move(snapshot_trash.put_back, ours, copy, junk)
    next_round(copy)
    assert places(ours, junk) == sorted([*stored(junk), trashed(junk)[1]])


def test_one_that_only_the_pair_has(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    (ours.region / ours.path / "snapshots" / junk).unlink()
    move(snapshot_trash.trash, ours, copy, junk)
    next_round(copy)
    assert places(ours, junk) == trashed(junk)[1:]
    move(snapshot_trash.put_back, ours, copy, junk)
    next_round(copy)
    assert places(ours, junk) == stored(junk)


def test_a_pair_that_is_away_for_the_moment_follows_later(
    ours: MachineFolder, copy: PairedCopy, junk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RcloneRegion.move

    def away(self: RcloneRegion, path: str, to: str) -> None:
        if self.slug == "local-b":
            raise StorageUnavailable("Local B does not answer just now.")
        real(self, path, to)

    with monkeypatch.context() as patch:
        patch.setattr(RcloneRegion, "move", away)
        with pytest.raises(StorageUnavailable):
            move(snapshot_trash.trash, ours, copy, junk)
    assert places(ours, junk) == sorted([trashed(junk)[0], stored(junk)[1]])
    next_round(copy)
    assert places(ours, junk) == trashed(junk)


def test_a_loss_of_the_snapshot_itself_is_over(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    path = f"{ours.path}/snapshots/{junk}"
    losses.note(copy.vault, copy.vault.region, layout.Stored(path, len(JUNK), timezone.now()))
    move(snapshot_trash.trash, ours, copy, junk)
    assert LostObject.objects.count() == 0


def test_it_still_counts_as_stored(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    move(snapshot_trash.trash, ours, copy, junk)
    assert removals.size(region_storage(copy.vault.region), ours.path) == len(JUNK)


def test_the_list_says_where_each_lies(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    other = move(snapshot_trash.trash, ours, copy, junk)
    found = [(each.name == other, each.trashed, each.region.slug) for each in of_machine(ours, copy)]
    assert sorted(found) == [
        (False, False, "local-a"),
        (False, False, "local-b"),
        (True, True, "local-a"),
        (True, True, "local-b"),
    ]


def of_machine(machine: MachineFolder, copy: PairedCopy) -> list[snapshot_trash.SnapshotObject]:
    return snapshot_trash.of_machine(copy.vault, number(machine))


@pytest.mark.parametrize("text", ["", "abc", "../../../x", "latest", "ABCDEF01", "0" * 65, "%"])
def test_only_an_id_names_a_snapshot(ours: MachineFolder, copy: PairedCopy, text: str) -> None:
    with pytest.raises(NotFound, match="8 to 64 digits"):
        move(snapshot_trash.trash, ours, copy, text)


def test_what_is_not_there_changes_nothing(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    before = files(ours.region.parent)
    for step, name in ((snapshot_trash.trash, "0" * 8), (snapshot_trash.put_back, junk)):
        with pytest.raises(NotFound, match="begins with"):
            move(step, ours, copy, name)
    assert files(ours.region.parent) == before
    assert RemovedObject.objects.count() == 0
    assert not AuditEvent.objects.filter(action__startswith="snapshot:").exists()


def test_two_that_begin_alike_are_named(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    twin = junk[:12] + ("0" * 52 if junk[12] != "0" else "1" * 52)
    ours.put("snapshots", b"other", name=twin)
    with pytest.raises(snapshot_trash.Ambiguous, match="Give more digits"):
        move(snapshot_trash.trash, ours, copy, junk[:12])
    assert move(snapshot_trash.trash, ours, copy, twin) == twin


def test_another_machines_snapshots_are_out_of_reach(ours: MachineFolder, copy: PairedCopy, junk: str) -> None:
    other = MachineFolder(ours.region, copy.vault_id, uuid4())
    backup(other, b"two ")
    with pytest.raises(NotFound):
        move(snapshot_trash.trash, other, copy, junk)
