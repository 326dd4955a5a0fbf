"""What machines delete with leave: index objects go to the trash, and nothing else goes anywhere."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from agents.machines import revoke
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actor import Actor, Via
from portal.core.admission import Admission, Busy
from portal.core.errors import Throttled
from portal.pki.crypto import certificates
from tests.agents import peer
from tests.at_once import at_once
from tests.factories import as_actor
from tests.vaults.stored import MachineFolder, digest, files
from vaults.models import RemovalCount, RemovedObject, Vault
from vaults.regions.storage.base import Entry, ObjectMissing, StorageUnavailable
from vaults.regions.storage.rclone import RcloneRegion
from vaults.trash import removals

ACTOR = Actor(label="machine db-01", via=Via.AGENT, address="192.0.2.7")
INDEX = b"an index object"
NAME = digest(INDEX)


@pytest.fixture
def folder(storage: Path, vault: Vault) -> MachineFolder:
    return MachineFolder(storage / "local-a", vault.pk, uuid4())


def remove(folder: MachineFolder, vault: Vault, name: str = NAME) -> None:
    removals.remove(vault, UUID(folder.path.partition("/")[2]), "index", name, actor=ACTOR)


def trash(folder: MachineFolder) -> dict[str, bytes]:
    """What lies in the machine's trash, by path below its folder."""
    return files(folder.region / "trash" / folder.path)


class TestRemoving:
    def test_moves_it_to_the_trash_and_leaves_the_rest(self, folder: MachineFolder, vault: Vault) -> None:
        folder.put("index", INDEX)
        rest = {folder.put(kind, kind.encode()) for kind in ("data", "index", "keys", "locks", "snapshots")}
        remove(folder, vault)
        assert trash(folder) == {f"index/{NAME}": INDEX}
        assert {f"{folder.path}/{path}" for path in files(folder.region / folder.path)} == rest
        row = RemovedObject.objects.get()
        assert (row.path, row.moved_at is None) == (f"{folder.path}/index/{NAME}", False)
        event = AuditEvent.objects.get(action="object:remove")
        assert (event.actor_label, event.address, event.vault_id) == ("machine db-01", "192.0.2.7", vault.pk)
        assert event.detail["moved_to"] == f"trash/{folder.path}/index/{NAME}"

    def test_what_is_not_there_is_missing_and_leaves_no_trace(self, folder: MachineFolder, vault: Vault) -> None:
        with pytest.raises(ObjectMissing):
            remove(folder, vault)
        assert (RemovedObject.objects.count(), AuditEvent.objects.filter(action="object:remove").count()) == (0, 0)

    def test_again_after_a_lost_answer_is_harmless(self, folder: MachineFolder, vault: Vault) -> None:
        folder.put("index", INDEX)
        remove(folder, vault)
        remove(folder, vault)
        assert trash(folder) == {f"index/{NAME}": INDEX}
        assert RemovedObject.objects.count() == AuditEvent.objects.filter(action="object:remove").count() == 1

    def test_storing_and_removing_it_in_turn_keeps_one(self, folder: MachineFolder, vault: Vault) -> None:
        for _ in range(3):
            folder.put("index", INDEX)
            remove(folder, vault)
        assert trash(folder) == {f"index/{NAME}": INDEX}

    def test_other_content_under_the_name_is_kept_beside_it(self, folder: MachineFolder, vault: Vault) -> None:
        for content in (b"junk", INDEX, b"more junk"):
            folder.put("index", content, name=NAME)
            remove(folder, vault)
        assert sorted(trash(folder).values()) == sorted([b"junk", INDEX, b"more junk"])

    def test_storage_that_is_away_leaves_it_where_it_was(
        self, folder: MachineFolder, vault: Vault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(self: RcloneRegion, path: str, to: str) -> None:
            raise StorageUnavailable("Local A is not responding.")

        folder.put("index", INDEX)
        with monkeypatch.context() as patch:
            patch.setattr(RcloneRegion, "move", away)
            with pytest.raises(StorageUnavailable):
                remove(folder, vault)
        assert list(files(folder.region / folder.path)) == [f"index/{NAME}"]
        assert RemovedObject.objects.get().moved_at is None
        remove(folder, vault)
        assert trash(folder) == {f"index/{NAME}": INDEX}

    @pytest.mark.django_db(transaction=True)
    def test_many_at_once_move_it_once(self, folder: MachineFolder, vault: Vault) -> None:
        folder.put("index", INDEX)
        assert at_once([lambda: remove(folder, vault)] * 4) == [None] * 4
        assert trash(folder) == {f"index/{NAME}": INDEX}
        assert RemovedObject.objects.get().moved_at is not None

    def test_a_crowd_is_told_to_come_again(
        self, folder: MachineFolder, vault: Vault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Slow storage must not take all threads of the web."""
        folder.put("index", INDEX)
        monkeypatch.setattr(removals, "turns", taken := Admission(1, "Busy."))
        monkeypatch.setattr("portal.core.admission.PATIENCE", 0.0)
        with taken(), pytest.raises(Busy):
            remove(folder, vault)
        assert (trash(folder), RemovedObject.objects.count()) == ({}, 0)
        remove(folder, vault)


class TestEntries:
    """One audit entry at once, and one for all others within the hour."""

    @pytest.fixture
    def three(self, folder: MachineFolder, vault: Vault) -> MachineFolder:
        for number in range(3):
            remove(folder, vault, Path(folder.put("index", str(number).encode())).name)
        return folder

    def test_a_repair_is_two_entries(self, three: MachineFolder) -> None:
        removals.write_counts()
        assert AuditEvent.objects.filter(action="object:remove").count() == 1
        RemovedObject.objects.update(removed_at=timezone.now() - timedelta(hours=2))
        removals.write_counts()
        removals.write_counts()
        counted = AuditEvent.objects.filter(action="object:remove").order_by("id")[1]
        assert (counted.detail["more_objects"], counted.detail["machine"]) == (2, three.path.partition("/")[2])
        assert AuditEvent.objects.filter(action="object:remove").count() == 2

    def test_one_object_stored_and_removed_in_turn_is_one_entry(self, folder: MachineFolder, vault: Vault) -> None:
        for _ in range(4):
            remove(folder, vault, Path(folder.put("index", INDEX)).name)
        assert AuditEvent.objects.filter(action="object:remove").count() == 1

    def test_without_the_entry_nothing_is_moved(
        self, folder: MachineFolder, vault: Vault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*args: object, **options: object) -> None:
            raise OSError("the log is away")

        folder.put("index", INDEX)
        monkeypatch.setattr("vaults.trash.removals.record", broken)
        with pytest.raises(OSError, match="the log is away"):
            remove(folder, vault)
        assert (trash(folder), RemovedObject.objects.count()) == ({}, 0)

    def test_a_machine_that_removes_without_end_is_told_to_wait(
        self, three: MachineFolder, vault: Vault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(removals, "MOST_IN_A_DAY", 3)
        last = three.put("index", b"one more")
        with pytest.raises(Throttled):
            remove(three, vault, Path(last).name)
        assert (three.region / last).exists()
        RemovalCount.objects.update(day=timezone.now().date() - timedelta(days=1))
        remove(three, vault, Path(last).name)
        assert RemovalCount.objects.get().count == 1

    def test_the_same_object_counts_each_time(
        self, folder: MachineFolder, vault: Vault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(removals, "MOST_IN_A_DAY", 3)
        for _ in range(3):
            folder.put("index", INDEX)
            remove(folder, vault)
        folder.put("index", INDEX)
        with pytest.raises(Throttled):
            remove(folder, vault)
        assert RemovalCount.objects.get().count == 3


class TestCutOff:
    """A removal that was noted, and then the process died."""

    @pytest.fixture
    def noted(self, folder: MachineFolder, vault: Vault) -> str:
        path = f"{folder.path}/index/{NAME}"
        RemovedObject.objects.create(
            vault=vault,
            machine_id=UUID(folder.path.partition("/")[2]),
            path=path,
            removed_at=timezone.now() - timedelta(hours=1),
        )
        return path

    def of(self, folder: MachineFolder, vault: Vault) -> set[str]:
        return set(removals.of_machine(vault, folder.path.partition("/")[2]))

    def test_before_the_move_is_forgotten(self, folder: MachineFolder, vault: Vault, noted: str) -> None:
        folder.put("index", INDEX)
        assert (self.of(folder, vault), RemovedObject.objects.count()) == (set(), 0)

    def test_after_the_move_counts(self, folder: MachineFolder, vault: Vault, noted: str) -> None:
        place = folder.region / "trash" / noted
        place.parent.mkdir(parents=True)
        place.write_bytes(INDEX)
        assert self.of(folder, vault) == {noted}
        assert RemovedObject.objects.get().moved_at is not None

    def test_under_a_name_with_a_date_counts_too(self, folder: MachineFolder, vault: Vault, noted: str) -> None:
        place = folder.region / "trash" / f"{noted}.20261126T000000000000"
        place.parent.mkdir(parents=True)
        place.write_bytes(INDEX)
        assert self.of(folder, vault) == {noted}

    def test_many_take_one_listing(
        self, folder: MachineFolder, vault: Vault, noted: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = folder.region / "trash" / noted
        place.parent.mkdir(parents=True)
        place.write_bytes(INDEX)
        row = RemovedObject.objects.get()
        for number in range(4):
            row.pk, row.path = None, f"{folder.path}/index/{digest(str(number).encode())}"
            row.save(force_insert=True)
        listed, real = [], RcloneRegion.entries

        def counted(self: RcloneRegion, path: str) -> list[Entry]:
            listed.append(path)
            return real(self, path)

        monkeypatch.setattr(RcloneRegion, "entries", counted)
        assert self.of(folder, vault) == {noted}
        assert listed == [f"trash/{folder.path}/index"]
        assert self.of(folder, vault) == {noted}  # nothing is left to settle
        assert len(listed) == 1

    def test_one_that_is_tried_anew_meanwhile_counts(
        self, folder: MachineFolder, vault: Vault, noted: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def tried(self: RcloneRegion, path: str) -> list[Entry]:
            RemovedObject.objects.update(removed_at=timezone.now())
            return []

        monkeypatch.setattr(RcloneRegion, "entries", tried)
        assert self.of(folder, vault) == {noted}
        assert RemovedObject.objects.get().moved_at is None

    def test_one_under_way_counts(self, folder: MachineFolder, vault: Vault, noted: str) -> None:
        RemovedObject.objects.update(removed_at=timezone.now())
        assert self.of(folder, vault) == {noted}
        assert RemovedObject.objects.get().moved_at is None


class TestAsked:
    """By the edge, on a machine's behalf."""

    def ask(self, machine: peer.Machine, rest: str = f"index/{NAME}", region: str = "local-a", **headers: str) -> int:
        leaf = certificates.read_chain(str(machine.answer["certificate"]))[0]
        sent = {
            "X-Edge-Secret": settings.EDGE_SECRET,
            "X-Client-Serial": str(int(certificates.serial(leaf), 16)),
            "X-Client-Fingerprint": certificates.fingerprint(leaf),
            "X-Forwarded-Method": "DELETE",
            "X-Forwarded-Uri": f"/{region}/{machine.answer['machine']['vault_id']}/{machine.id}/{rest}",
            "X-Real-IP": "192.0.2.9",
            **headers,
        }
        status: int = Client(enforce_csrf_checks=True).post("/gateway/remove", headers=sent).status_code
        return status

    @pytest.fixture
    def own(self, storage: Path, machine: peer.Machine, vault: Vault) -> MachineFolder:
        folder = MachineFolder(storage / "local-a", vault.pk, UUID(machine.id))
        folder.put("index", INDEX)
        return folder

    def test_is_done_once(self, own: MachineFolder, machine: peer.Machine) -> None:
        assert [self.ask(machine), self.ask(machine), self.ask(machine, f"index/{'0' * 64}")] == [200, 200, 404]
        assert trash(own) == {f"index/{NAME}": INDEX}
        event = AuditEvent.objects.get(action="object:remove")
        assert (event.actor_label, event.address) == (f"machine {machine.answer['machine']['name']}", "192.0.2.9")

    @pytest.mark.parametrize(
        "change",
        [
            {"X-Edge-Secret": "wrong"},
            {"X-Edge-Secret": ""},
            {"X-Client-Serial": "<nil>"},
            {"X-Client-Fingerprint": "0" * 64},
            {"X-Forwarded-Method": "GET"},
            {"X-Forwarded-Method": "POST"},
            {"region": "local-b"},
            *[{"rest": f"{kind}/{NAME}"} for kind in ("data", "keys", "locks", "snapshots")],
            {"rest": "config"},
            {"rest": f"index/../index/{NAME}"},
        ],
    )
    def test_nothing_else_is(
        self, own: MachineFolder, machine: peer.Machine, change: dict[str, Any], regions: object
    ) -> None:
        for kind in ("data", "keys", "locks", "snapshots"):
            own.put(kind, INDEX)
        before = files(own.region)
        assert self.ask(machine, **change) == 403
        assert files(own.region) == before

    def test_nor_for_another_machine_or_one_that_is_revoked(
        self, own: MachineFolder, machine: peer.Machine, staff: User, storage: Path, vault: Vault
    ) -> None:
        other = MachineFolder(storage / "local-a", vault.pk, uuid4())
        other.put("index", INDEX)
        uri = f"/local-a/{other.path}/index/{NAME}"
        assert self.ask(machine, **{"X-Forwarded-Uri": uri}) == 403
        revoke(UUID(machine.id), actor=as_actor(staff), reason="Stolen")
        assert self.ask(machine) == 403
        assert sorted(files(storage / "local-a")) == sorted(f"{one.path}/index/{NAME}" for one in (own, other))

    def test_storage_that_is_away_is_asked_again(
        self, own: MachineFolder, machine: peer.Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(self: RcloneRegion, path: str) -> None:
            raise StorageUnavailable("Local A is not responding.")

        monkeypatch.setattr(RcloneRegion, "entry", away)
        assert self.ask(machine) == 503
        assert trash(own) == {}

    def test_not_by_get(self, own: MachineFolder, machine: peer.Machine) -> None:
        assert Client().get("/gateway/remove", headers={"X-Edge-Secret": settings.EDGE_SECRET}).status_code == 405
        assert trash(own) == {}
