"""What machines find damaged is compared in the next round, and comes back from the pair."""

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from portal.audit.models import AuditEvent
from tests.vaults.stored import MachineFolder, backup, files
from vaults import copy_schedule, lifetimes
from vaults.integrity import suspects
from vaults.models import LostObject, PairedCopy, Redundancy, SuspectObject, Vault
from vaults.regions.storage.rclone import RcloneRegion
from vaults.replication import copier

KINDS = ("data", "index", "keys", "snapshots")
LONG_AGO = 7200  # seconds; what is younger than an hour may be an upload under way


@pytest.fixture
def ours(storage: Path, copy: PairedCopy) -> MachineFolder:
    return MachineFolder(storage / "local-a", copy.vault_id, uuid4())


@pytest.fixture
def stored(copy: PairedCopy, ours: MachineFolder) -> dict[str, bytes]:
    """A backup that both regions have, by path in the region."""
    found = backup(ours, b"one ")
    copier.run(copy.pk)
    assert held(ours, "local-a") == held(ours, "local-b") == found
    return found


def held(machine: MachineFolder, region: str) -> dict[str, bytes]:
    place = machine.region.with_name(region) / machine.path
    return {f"{machine.path}/{path}": data for path, data in files(place).items()}


def one(stored: dict[str, bytes], kind: str) -> str:
    return next(path for path in sorted(stored) if path.split("/")[2] == kind)


def spoil(machine: MachineFolder, path: str, region: str = "local-a", *, age: int = LONG_AGO) -> None:
    """A disk forgets: the size stays."""
    place = machine.region.with_name(region) / path
    place.write_bytes(b"#" * place.stat().st_size)
    then = timezone.now().timestamp() - age
    os.utime(place, (then, then))


def number(machine: MachineFolder) -> UUID:
    return UUID(machine.path.rpartition("/")[2])


def tell(copy: PairedCopy, machine: MachineFolder, *paths: str) -> None:
    """The machine names the objects, and a round follows."""
    names = [f"{path.split('/')[2]}/{path.rpartition('/')[2]}" for path in paths]
    suspects.compare_soon(copy.vault, number(machine), names, at=timezone.now())
    go_round(copy)


def go_round(copy: PairedCopy) -> None:
    copy_schedule.schedule(copy.vault_id)
    copier.run(copy.pk)


def due() -> datetime:
    moment = PairedCopy.objects.get().due_at
    assert moment is not None
    return moment


def waiting() -> list[str]:
    return sorted(SuspectObject.objects.filter(compared_at=None).values_list("path", flat=True))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_damaged_in_its_place_comes_back_at_once(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], kind: str
) -> None:
    spoil(ours, path := one(stored, kind))
    go_round(copy)
    assert held(ours, "local-a") != stored  # sizes are equal: a round alone sees nothing
    tell(copy, ours, path)
    assert held(ours, "local-a") == held(ours, "local-b") == stored
    event = AuditEvent.objects.get(action="object:repair")
    assert (event.detail["object"], event.detail["region"], event.detail["from"]) == (path, "local-a", "local-b")
    assert (waiting(), LostObject.objects.count()) == ([], 0)


def test_what_was_copied_lately_is_no_upload(copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes]) -> None:
    """Nobody uploads to the pair, where most of what is needed lies as young as the copy is."""
    spoil(ours, path := one(stored, "data"))
    os.utime(ours.region.with_name("local-b") / path)
    tell(copy, ours, path)
    assert held(ours, "local-a") == held(ours, "local-b") == stored


def test_what_is_whole_stays_as_it_is(copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes]) -> None:
    events = AuditEvent.objects.count()
    tell(copy, ours, *(one(stored, kind) for kind in KINDS))
    assert held(ours, "local-a") == held(ours, "local-b") == stored
    assert (waiting(), AuditEvent.objects.count()) == ([], events)


def test_what_no_region_has_whole_is_set_aside_so_that_the_machine_can_store_it_again(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes]
) -> None:
    path = one(stored, "data")
    for region in ("local-a", "local-b"):
        spoil(ours, path, region)
    tell(copy, ours, path)
    assert path not in held(ours, "local-a") | held(ours, "local-b")
    assert set(LostObject.objects.values_list("machine_id", "path")) == {(number(ours), path)}
    assert waiting() == []


def test_an_upload_under_way_is_asked_about_again(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes]
) -> None:
    spoil(ours, path := one(stored, "data"), age=60)
    tell(copy, ours, path)
    assert waiting() == [path]
    spoil(ours, path)
    go_round(copy)
    assert (held(ours, "local-a"), waiting()) == (stored, [])


def test_an_upload_under_way_is_not_even_read(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds come often: whatever waits would be read each time."""
    spoil(ours, path := one(stored, "data"), age=60)
    read: list[str] = []

    def digests(_: RcloneRegion, paths: list[str]) -> dict[str, str]:
        read.extend(paths)
        return {}

    monkeypatch.setattr(RcloneRegion, "sha256", digests)
    tell(copy, ours, path)
    assert (read, waiting()) == ([], [path])


def test_a_round_compares_no_more_than_a_scrub_reads_and_goes_on_in_the_next(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes], settings: Any
) -> None:
    """What one machine calls damaged keeps no copy waiting: what is new is in the pair before anything is compared."""
    settings.SCRUB_BYTES_A_SECOND = 1 / suspects.SLICE  # a byte
    paths = [one(stored, kind) for kind in KINDS]
    for path in paths:
        spoil(ours, path)
    new = ours.put("data", b"new")
    rounds = 0
    tell(copy, ours, *paths)
    while waiting():
        rounds += 1
        assert held(ours, "local-b")[new] == b"new"
        assert PairedCopy.objects.get().complete_as_of is not None
        assert due() <= timezone.now() + copy_schedule.SOON
        go_round(copy)
    assert rounds == len(paths) - 1
    assert held(ours, "local-a") == stored | {new: b"new"}
    assert due() > timezone.now() + copy_schedule.SOON


def test_what_was_cut_off_comes_back_and_the_pair_is_not_blamed(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes]
) -> None:
    place = ours.region / (path := one(stored, "data"))
    spoil(ours, path)
    place.write_bytes(place.read_bytes()[:-1])
    os.utime(place, (0, 0))
    tell(copy, ours, path)
    assert held(ours, "local-a") == held(ours, "local-b") == stored
    assert PairedCopy.objects.get().trouble == ""


def test_the_same_object_is_not_compared_again_within_a_day(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes]
) -> None:
    """Else a hostile machine could have a worker read for ever."""
    tell(copy, ours, path := one(stored, "data"))
    spoil(ours, path)
    tell(copy, ours, path)
    assert (path in waiting(), held(ours, "local-a") == stored) == (False, False)
    SuspectObject.objects.update(reported_at=timezone.now() - suspects.KEPT - timedelta(seconds=1))
    lifetimes.rules()["objects that machines called damaged"].delete()
    tell(copy, ours, path)
    assert held(ours, "local-a") == stored


def test_no_more_than_so_many_of_a_machine_are_noted(
    copy: PairedCopy, ours: MachineFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspects, "MOST", 3)
    names = [f"index/{digit * 64}" for digit in "abcde"]
    suspects.compare_soon(copy.vault, number(ours), names[:2], at=timezone.now())
    suspects.compare_soon(copy.vault, number(ours), names, at=timezone.now())
    assert waiting() == [f"{ours.path}/{name}" for name in names[:3]]
    suspects.compare_soon(copy.vault, other := uuid4(), names[:1], at=timezone.now())
    assert SuspectObject.objects.filter(machine_id=other).count() == 1


def test_what_is_not_there_is_settled(copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes]) -> None:
    tell(copy, ours, f"{ours.path}/index/{'a' * 64}")
    assert (waiting(), held(ours, "local-a")) == ([], stored)


def test_what_is_damaged_in_the_pair_comes_back_too(
    copy: PairedCopy, ours: MachineFolder, stored: dict[str, bytes]
) -> None:
    spoil(ours, path := one(stored, "data"), "local-b")
    tell(copy, ours, path)
    assert held(ours, "local-a") == held(ours, "local-b") == stored
    assert AuditEvent.objects.get(action="object:repair").detail["region"] == "local-b"


def test_a_vault_without_a_copy_waits_for_the_scrub(vault: Vault) -> None:
    Vault.objects.filter(pk=vault.pk).update(redundancy=Redundancy.LOCAL)
    vault.refresh_from_db()
    suspects.compare_soon(vault, uuid4(), [f"index/{'a' * 64}"], at=timezone.now())
    assert SuspectObject.objects.count() == 0
