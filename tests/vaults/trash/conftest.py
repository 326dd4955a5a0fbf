"""A machine whose backup lies in both regions, and ways to make its objects old and to delete them."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from portal.core.actor import Actor, Via
from tests.vaults.stored import MachineFolder, backup
from vaults import copy_schedule
from vaults.models import MachineRepository, PairedCopy, RemovedObject, SeenObject
from vaults.replication import copier
from vaults.trash import removals, repositories

ACTOR = Actor(label="machine db-01", via=Via.AGENT, address="192.0.2.7")
Delete = Callable[[str], None]


@pytest.fixture
def ours(storage: Path, copy: PairedCopy) -> MachineFolder:
    return MachineFolder(storage / "local-a", copy.vault_id, uuid4())


@pytest.fixture
def number(ours: MachineFolder) -> UUID:
    return UUID(ours.path.partition("/")[2])


@pytest.fixture
def stored(copy: PairedCopy, ours: MachineFolder, number: UUID) -> dict[str, bytes]:
    """A backup that both regions have, first seen a month ago."""
    found = backup(ours, b"one ")
    copier.run(copy.pk)
    copy_schedule.schedule(copy.vault_id)
    repositories.look(copy.vault, number)
    SeenObject.objects.update(first_seen_at=timezone.now() - timedelta(days=30))
    return found


@pytest.fixture
def delete(copy: PairedCopy, number: UUID) -> Delete:
    """The machine deletes the object at that path."""

    def deleted(path: str) -> None:
        kind, name = path.split("/")[2], path.rpartition("/")[2]
        removals.remove(copy.vault, number, kind, name, actor=ACTOR)

    return deleted


@pytest.fixture
def announced(copy: PairedCopy, number: UUID, stored: dict[str, bytes]) -> None:
    """A retain that may delete the machine's snapshots, and has plenty of data left."""
    repositories.of_machine(copy.vault, number)
    MachineRepository.objects.update(
        retain_began_at=timezone.now(),
        retain_ends_at=timezone.now() + timedelta(hours=1),
        retain_snapshots=[path.rpartition("/")[2] for path in stored if "/snapshots/" in path],
        live_bytes=10**6,
    )


def of_kind(stored: dict[str, bytes], kind: str) -> str:
    """The path of the one object of that kind."""
    return next(path for path in stored if f"/{kind}/" in path)


def pass_by(days: int) -> None:
    """Let so many days pass for what was deleted."""
    for row in RemovedObject.objects.all():
        RemovedObject.objects.filter(pk=row.pk).update(
            removed_at=row.removed_at - timedelta(days=days),
            moved_at=row.moved_at and row.moved_at - timedelta(days=days),
        )
