"""What holds the purge of a machine's trash until people decide."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import Invalid, NotAllowed, NotFound, StaleState
from portal.notifications.models import Notification
from tests.factories import as_actor
from tests.vaults.deleting import Delete, of_kind
from tests.vaults.stored import MachineFolder
from vaults.models import MachineRepository, PairedCopy, SeenObject
from vaults.trash import holds


def held() -> str:
    return MachineRepository.objects.get().held_reason


@pytest.mark.parametrize(("kind", "what"), [("data", "backup data"), ("snapshots", "a snapshot")])
def test_a_deletion_that_nobody_announced(stored: dict[str, bytes], delete: Delete, kind: str, what: str) -> None:
    delete(of_kind(stored, kind))
    assert held() == f"It deleted {what} although no retain was announced."
    assert AuditEvent.objects.get(action="purge:hold").detail["reason"] == held()
    notice = Notification.objects.get(key__startswith="purge:")
    assert (notice.state, held() in notice.step) == ("attention", True)


def test_an_announced_one_is_expected(stored: dict[str, bytes], announced: None, delete: Delete) -> None:
    for kind in ("snapshots", "data", "index"):
        delete(of_kind(stored, kind))
    row = MachineRepository.objects.get()
    assert (row.held_at, row.retain_removed_bytes) == (None, len(stored[of_kind(stored, "data")]))
    assert row.deleted_at is not None


def test_the_announcement_ends(stored: dict[str, bytes], announced: None, delete: Delete) -> None:
    MachineRepository.objects.update(retain_ends_at=timezone.now() - timedelta(seconds=1))
    delete(of_kind(stored, "data"))
    assert held() == "It deleted backup data although no retain was announced."


def test_a_snapshot_that_is_not_on_the_list(
    ours: MachineFolder, stored: dict[str, bytes], announced: None, delete: Delete, copy: PairedCopy, number: UUID
) -> None:
    MachineRepository.objects.update(retain_snapshots=["0" * 64])
    delete(of_kind(stored, "snapshots"))
    assert held() == "It deleted a snapshot that was not on the list of the retain."


def test_an_unusual_share(stored: dict[str, bytes], announced: None, delete: Delete) -> None:
    path = of_kind(stored, "data")
    MachineRepository.objects.update(live_bytes=2 * len(stored[path]) - 1)
    delete(path)
    assert held() == "A retain deleted more than half of what was stored."


def test_just_half_is_no_unusual_share(stored: dict[str, bytes], announced: None, delete: Delete) -> None:
    path = of_kind(stored, "data")
    MachineRepository.objects.update(live_bytes=2 * len(stored[path]))
    delete(path)
    assert held() == ""


def test_it_is_told_once(ours: MachineFolder, stored: dict[str, bytes], delete: Delete) -> None:
    delete(of_kind(stored, "data"))
    delete(of_kind(stored, "snapshots"))
    assert AuditEvent.objects.filter(action="purge:hold").count() == 1
    assert held() == "It deleted backup data although no retain was announced."


class TestRelease:
    @pytest.fixture
    def machine(self, stored: dict[str, bytes], delete: Delete, number: UUID) -> UUID:
        delete(of_kind(stored, "data"))
        return number

    def test_by_a_member_with_a_reason(self, copy: PairedCopy, machine: UUID, requester: Actor) -> None:
        holds.release(copy.vault_id, machine, "I did that by hand.", actor=requester)
        assert MachineRepository.objects.get().held_at is None
        assert AuditEvent.objects.get(action="purge:release").detail["reason"] == "I did that by hand."
        assert not Notification.objects.filter(key__startswith="purge:", state="attention").exists()
        with pytest.raises(StaleState):
            holds.release(copy.vault_id, machine, "Once more.", actor=requester)

    def test_not_without_a_reason(self, copy: PairedCopy, machine: UUID, requester: Actor) -> None:
        with pytest.raises(Invalid):
            holds.release(copy.vault_id, machine, " ", actor=requester)
        assert held()

    def test_by_nobody_else(self, copy: PairedCopy, machine: UUID, approver: User, outsider: User) -> None:
        with pytest.raises(NotAllowed):
            holds.release(copy.vault_id, machine, "Fine.", actor=as_actor(approver))
        with pytest.raises(NotFound):
            holds.release(copy.vault_id, machine, "Fine.", actor=as_actor(outsider))
        assert held()


def test_rows_of_other_machines_do_not_count(stored: dict[str, bytes], announced: None, delete: Delete) -> None:
    """The size of an object is taken from the machine's own row."""
    path = of_kind(stored, "data")
    row = SeenObject.objects.get(kind="data")
    SeenObject.objects.create(
        vault_id=row.vault_id,
        machine_id=UUID(int=1),
        kind="data",
        name=row.name,
        size=10**9,
        first_seen_at=row.first_seen_at,
    )
    delete(path)
    assert held() == ""
