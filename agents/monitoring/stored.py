"""Reading: what the portal knows of a machine's stored backups, from rows alone, in a fixed number of queries."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BigIntegerField, Count, F, Max, Q, QuerySet, Sum, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Right

from agents.models import Machine, Run
from vaults.models import MachineRepository, Operation, RemovedObject, SeenObject, Vault
from vaults.recovery.bring_back import HELD, earliest
from vaults.states import OperationState

MOMENTS = 50
"""Moments that are offered to bring back as of; any other can be typed."""
SHOWN = 6
"""Machines with a hold that the Dashboard names."""
LATELY = timedelta(days=7)
"""A retain comes weekly: in so long each machine has had one."""


@dataclass(frozen=True)
class StoredBackups:
    """What the portal has seen of a machine's repository."""

    repository: MachineRepository
    snapshots: int
    returning: bool  # it is being brought back, during which nobody releases a hold

    @property
    def proof_pending(self) -> bool:
        """Whether snapshots or packs were deleted after the last check of the whole began: until the next one, backups
        may rest on what is in the trash."""
        deleted, whole = self.repository.deleted_at, self.repository.whole_as_of
        return deleted is not None and (whole is None or deleted > whole)

    @property
    def held(self) -> bool:
        """Whether people have to decide about what was deleted."""
        return self.repository.held_at is not None and not self.returning


@dataclass(frozen=True)
class Figures:
    """What bringing back as of a time would do, by what the portal has seen."""

    returned: int
    returned_bytes: int
    snapshots_returned: int
    set_aside: int
    set_aside_bytes: int
    snapshots_set_aside: int


@dataclass(frozen=True)
class Retained:
    """What of a vault's machines lies in the trash, of how many it is held, and what retention has freed of late."""

    trash_bytes: int | None
    held: int
    held_shown: list[Machine]
    freed_bytes: int
    last_at: datetime | None


def stored_backups(machine: Machine) -> StoredBackups | None:
    """What is known; None when the portal has never looked. Three queries."""
    repository = MachineRepository.objects.filter(pk=machine.pk).first()
    if repository is None:
        return None
    rows = SeenObject.objects.filter(machine_id=machine.pk, kind="snapshots")
    snapshots = rows.exclude(name__in=_names(_gone(machine))).count()
    return StoredBackups(repository, snapshots, is_returning(machine))


def is_returning(machine: Machine) -> bool:
    """Whether work to bring it back is under way."""
    work = Operation.objects.filter(vault=machine.vault_id, kind=Operation.Kind.BRING_BACK)
    return work.filter(state=OperationState.RUNNING, subject__machine=str(machine.pk)).exists()


def moments(machine: Machine) -> list[datetime]:
    """When the portal first saw snapshots within the soft-delete period, also such as are gone; the newest first."""
    rows = SeenObject.objects.filter(
        machine_id=machine.pk, kind="snapshots", first_seen_at__gte=earliest(machine.vault)
    )
    found = rows.order_by("-first_seen_at").values_list("first_seen_at", flat=True).distinct()
    return list(found[:MOMENTS])


def figures(machine: Machine, as_of: datetime) -> Figures:
    """What would return, and what would be set aside. Two queries."""
    rows, gone = SeenObject.objects.filter(machine_id=machine.pk), _gone(machine)
    back = gone.filter(removed_at__gt=as_of, purging_at=None)
    returned = _sums(rows.filter(first_seen_at__lte=as_of, name__in=_names(back)))
    aside = _sums(rows.filter(first_seen_at__gt=as_of).exclude(name__in=_names(gone)))
    return Figures(
        returned=returned["objects"],
        returned_bytes=returned["bytes"] or 0,
        snapshots_returned=returned["snapshots"],
        set_aside=aside["objects"],
        set_aside_bytes=aside["bytes"] or 0,
        snapshots_set_aside=aside["snapshots"],
    )


def retained(vault: Vault, at: datetime) -> Retained:
    """Of all machines of the vault, also those that have left. Two queries, and one where people have to decide."""
    rows, waiting = MachineRepository.objects.filter(vault=vault), ~Q(held_at=None) & ~Q(held_reason=HELD)
    known = rows.aggregate(trash=Sum("trash_bytes"), held=Count("pk", filter=waiting))
    held = vault.machines.filter(pk__in=rows.filter(waiting).values("pk")).order_by("name_key", "id")
    runs = Run.objects.filter(machine__vault=vault, kind=Run.Kind.RETAIN, outcome=Run.Outcome.SUCCEEDED)
    freed = Cast(KT("figures__freed"), BigIntegerField())
    told = runs.filter(finished_at__gt=at - LATELY).aggregate(freed=Sum(freed), last=Max("finished_at"))
    shown = list(held[:SHOWN]) if known["held"] else []
    return Retained(known["trash"], known["held"], shown, told["freed"] or 0, told["last"])


def _gone(machine: Machine) -> QuerySet[RemovedObject]:
    """What of the machine's lies in the trash and nowhere else."""
    return RemovedObject.objects.filter(machine_id=machine.pk, live_again=False)


def _names(rows: QuerySet[RemovedObject]) -> QuerySet[RemovedObject, Any]:
    """The names of removed objects: the digests at the ends of their paths."""
    return rows.values(digest=Right("path", 64))


def _sums(rows: QuerySet[SeenObject]) -> dict[str, int]:
    return rows.aggregate(
        objects=Count("pk"), bytes=Sum(F("size")), snapshots=Count("pk", filter=Q(kind=Value("snapshots")))
    )
