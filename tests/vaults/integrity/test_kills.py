"""Setting aside an object, when whoever does it is killed half-way, or the storage goes away."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from portal.audit.models import AuditEvent
from portal.notifications.models import Notification
from tests.vaults.stored import MachineFolder, digest, files
from vaults import copy_schedule
from vaults.integrity import verify
from vaults.models import PairedCopy, Region, Vault
from vaults.regions.storage.base import StorageRefused, StorageUnavailable
from vaults.regions.storage.rclone import RcloneRegion
from vaults.replication import copier

WHOLE, JUNK = b"a whole object", b"a halved objec"


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


@pytest.fixture
def machine(storage: Path, vault: Vault, regions: tuple[Region, Region]) -> MachineFolder:
    return MachineFolder(storage / "local-a", vault.pk, uuid4())


@pytest.fixture
def damaged(machine: MachineFolder, vault: Vault) -> Path:
    """An object that is whole in the pair, and has other bytes, but the same size and age, in its region."""
    file = machine.region / machine.put("data", WHOLE)
    copy_schedule.create(vault)
    copy_schedule.schedule(vault.pk)
    copier.run(PairedCopy.objects.get().pk)
    before = file.stat()
    file.write_bytes(JUNK)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    return file


@pytest.fixture
def alone(machine: MachineFolder) -> Path:
    """A damaged object that nobody else has."""
    return machine.region / machine.put("data", JUNK, name=digest(WHOLE))


def check(region: Region) -> int:
    return verify.check_region(region, since=None)[1]


def events() -> list[str]:
    return list(AuditEvent.objects.filter(action__startswith="object:").order_by("id").values_list("action", flat=True))


def kept(machine: MachineFolder) -> set[bytes]:
    return set(files(machine.region / "quarantine").values())


def dying(call: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    """The call, cut off before it is made, or right after."""

    def cut_off(*args: Any) -> None:
        if not before:
            call(*args)
        raise Killed

    return cut_off


@pytest.mark.parametrize(("call", "before"), [("copy", True), ("copy", False), ("copy_to", True), ("copy_to", False)])
def test_a_kill_at_any_moment_leaves_the_object_to_be_found_again_or_whole(
    call: str,
    before: bool,
    damaged: Path,
    machine: MachineFolder,
    regions: tuple[Region, Region],
    faults: pytest.MonkeyPatch,
) -> None:
    faults.setattr(RcloneRegion, call, dying(getattr(RcloneRegion, call), before=before))
    with pytest.raises(Killed):
        check(regions[0])
    faults.undo()
    assert events() == ["object:quarantine"]
    done = (call, before) == ("copy_to", False)
    assert damaged.read_bytes() == (WHOLE if done else JUNK)
    assert check(regions[0]) == (0 if done else 1)
    assert (damaged.read_bytes(), kept(machine)) == (WHOLE, {JUNK})


@pytest.mark.parametrize("before", [True, False])
def test_a_kill_around_the_move_leaves_an_entry_and_the_object_in_one_of_two_places(
    before: bool, alone: Path, machine: MachineFolder, regions: tuple[Region, Region], faults: pytest.MonkeyPatch
) -> None:
    faults.setattr(RcloneRegion, "move", dying(RcloneRegion.move, before=before))
    with pytest.raises(Killed):
        check(regions[0])
    faults.undo()
    assert events() == ["object:quarantine"]
    assert Notification.objects.get().state == "attention"
    assert check(regions[0]) == (1 if before else 0)
    assert (alone.exists(), kept(machine)) == (False, {JUNK})


def test_a_storage_that_takes_nothing_leaves_the_object_where_it_is(
    alone: Path, regions: tuple[Region, Region], faults: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise StorageRefused("Local A denies access.")

    faults.setattr(RcloneRegion, "move", refuse)
    with pytest.raises(StorageRefused):
        check(regions[0])
    assert (alone.read_bytes(), events()) == (JUNK, ["object:quarantine"])


@pytest.mark.parametrize("call", ["copy", "copy_to"])
def test_what_cannot_be_put_back_is_set_aside_and_told(
    call: str, damaged: Path, machine: MachineFolder, regions: tuple[Region, Region], faults: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise StorageUnavailable("Local A is not working.")

    faults.setattr(RcloneRegion, call, refuse)
    assert check(regions[0]) == 1
    assert (damaged.exists(), kept(machine), events()) == (False, {JUNK}, ["object:quarantine"])
    assert Notification.objects.get().title == 'A damaged object of vault "Payroll" was set aside.'


@pytest.mark.parametrize("spare", [True, False])
def test_what_is_gone_already_is_left_at_that(
    spare: bool,
    machine: MachineFolder,
    regions: tuple[Region, Region],
    faults: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    file: Path = request.getfixturevalue("damaged" if spare else "alone")
    name = "copy" if spare else "move"
    call = getattr(RcloneRegion, name)

    def late(*args: Any) -> None:
        file.unlink()
        call(*args)

    faults.setattr(RcloneRegion, name, late)
    assert check(regions[0]) == 1
    assert (file.exists(), kept(machine), events()) == (False, set(), ["object:quarantine"])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("spare", [True, False])
def test_no_transaction_is_open_while_the_storage_works(
    spare: bool, regions: tuple[Region, Region], faults: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("damaged" if spare else "alone")
    seen: list[bool] = []
    post = RcloneRegion._post

    def watched(*args: Any, **values: Any) -> Any:
        seen.append(connection.in_atomic_block)
        return post(*args, **values)

    faults.setattr(RcloneRegion, "_post", watched)
    assert check(regions[0]) == 1
    assert set(seen) == {False}
    assert ("object:repair" in events()) == spare
