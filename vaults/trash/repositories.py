"""What the portal sees of a machine's repository when it looks: each object's first time, and how much there is.

The time of an object counts from the portal's first look that found it, by our clock: whoever stores can
forge all other times. Looks come after each reported backup, with each measurement, and before whatever depends on one.
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from vaults.models import MachineRepository, RemovedObject, SeenObject, Vault
from vaults.regions.storage import layout
from vaults.regions.storage.base import StorageError
from vaults.regions.storage.layout import Stored
from vaults.regions.storage.rclone import region_storage
from vaults.trash import removals

log = logging.getLogger(__name__)
BATCH = 500  # objects of one question to the database
SLACK = timedelta(hours=1)
"""A storage's clock may differ by so much from ours, for the looks that leave out what has long been there."""


def of_machine(vault: Vault, machine_id: UUID) -> MachineRepository:
    """The machine's row, made now if there is none."""
    return MachineRepository.objects.get_or_create(machine_id=machine_id, defaults={"vault": vault})[0]


def look(vault: Vault, machine_id: UUID, *, thoroughly: bool = False) -> MachineRepository:
    """List what the machine has in the vault's region, and note what was not known. Raises StorageError.

    All that a snapshot may refer to is listed after it and noted before it, so that no snapshot is older, for us, than
    its data. Between the thorough looks, the first of each day among them, what the storage says has not changed since
    the last look is not compared with the rows again, nor is the trash listed when nothing went there.
    """
    known, began = of_machine(vault, machine_id), timezone.now()
    storage, machine = region_storage(vault.region), f"{vault.pk}/{machine_id}"
    found = layout.repository(storage, machine)
    since = None if thoroughly or known.looked_at is None or known.looked_at.date() < began.date() else known.looked_at
    for kind, items in (
        ("keys", found.keys),
        ("data", found.data),
        ("index", found.index),
        ("snapshots", found.snapshots),
    ):
        changed = [item for item in items if since is None or item.modified >= since - SLACK]
        _note(vault, machine_id, kind, changed)
    trash = known.trash_bytes
    if since is None or trash is None or _removed_since(machine_id, since):
        trash = removals.size(storage, machine)
    rows = MachineRepository.objects.filter(pk=machine_id)
    rows.filter(look_due_at=known.look_due_at).update(look_due_at=None)  # unless it was asked for again meanwhile
    rows.update(
        looked_at=began,
        live_bytes=sum(item.size for item in [*found.all, *layout.flat(storage, machine, layout.LOCKS)]),
        trash_bytes=trash,
    )
    known.refresh_from_db()
    return known


def want_look(vault: Vault, machine_id: UUID) -> None:
    """Have the repository looked at soon: the machine has stored or deleted something."""
    of_machine(vault, machine_id)
    MachineRepository.objects.filter(pk=machine_id).update(look_due_at=timezone.now())


def look_where_wanted(*, until: float) -> None:
    """Look at the repositories that are to be looked at, longest waiting first, until that time (time.monotonic).

    A storage that does not answer is asked again at the next call, and keeps none of another region waiting.
    """
    away = set[int]()
    rows = MachineRepository.objects.exclude(look_due_at=None).select_related("vault__region")
    for row in rows.order_by("look_due_at")[:500]:
        if time.monotonic() > until:
            return
        if row.vault.region_id in away:
            continue
        try:
            look(row.vault, row.pk)
        except StorageError as error:
            away.add(row.vault.region_id)
            log.warning("The repository of machine %s cannot be looked at: %s", row.pk, error)


def note_whole(vault: Vault, machine_id: UUID, *, as_of: datetime) -> None:
    """A check of all that the machine has stored began then, and missed nothing."""
    of_machine(vault, machine_id)
    earlier = Q(whole_as_of__isnull=True) | Q(whole_as_of__lt=as_of)
    MachineRepository.objects.filter(earlier, pk=machine_id).update(whole_as_of=as_of)


def _removed_since(machine_id: UUID, since: datetime) -> bool:
    """Whether something may have gone to the trash that the look of that time has not seen; by an index."""
    rows = RemovedObject.objects.filter(machine_id=machine_id, removed_at__gt=since - removals.UNSETTLED)
    return rows.exists()


def _note(vault: Vault, machine_id: UUID, kind: str, items: Sequence[Stored]) -> None:
    rows = SeenObject.objects.filter(machine_id=machine_id, kind=kind)
    for start in range(0, len(items), BATCH):
        batch = items[start : start + BATCH]
        known = set(rows.filter(name__in=[item.name for item in batch]).values_list("name", flat=True))
        now, fresh = timezone.now(), [item for item in batch if item.name not in known]
        rows_of = (
            SeenObject(vault=vault, machine_id=machine_id, kind=kind, name=item.name, size=item.size, first_seen_at=now)
            for item in fresh
        )
        SeenObject.objects.bulk_create(rows_of, ignore_conflicts=True)
