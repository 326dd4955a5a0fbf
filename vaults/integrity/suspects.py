"""Objects that machines have found damaged: compared with their names at once, instead of when the scrub comes by.

Only where there is a pair to replace them from. A machine tells names, of its own folder alone, and decides nothing:
what is whole stays as it is. So all that it can cause is reading, and of that no more than MOST objects a day.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from vaults.models import Redundancy, SuspectObject, Vault

MOST = 1000
"""Objects of one machine that are compared within a day. A repository with more of them damaged waits for the scrub."""
KEPT = timedelta(days=1)
"""At least (vaults/lifetimes.py): for so long the same object is not compared again."""


def note(vault: Vault, machine_id: UUID, names: Collection[str], *, at: datetime) -> None:
    """Have the next copy round compare these objects of the machine, each as kind/name (layout.DIGEST).

    Those that were compared within a day, and what is above MOST, are left out. No-op for a vault without a copy.
    """
    if not names or vault.redundancy != Redundancy.GEO:
        return
    room = MOST - SuspectObject.objects.filter(machine_id=machine_id).count()
    paths = [f"{vault.pk}/{machine_id}/{_place(name)}" for name in sorted(set(names))]
    known = set(SuspectObject.objects.filter(path__in=paths).values_list("path", flat=True))
    fresh = [path for path in paths if path not in known][: max(room, 0)]
    SuspectObject.objects.bulk_create(
        [SuspectObject(vault=vault, machine_id=machine_id, path=path, reported_at=at) for path in fresh],
        ignore_conflicts=True,
    )


def waiting(machine_id: UUID) -> frozenset[str]:
    """The paths, in each region, of what is to be compared; one query."""
    rows = SuspectObject.objects.filter(machine_id=machine_id, compared_at=None)
    return frozenset(rows.values_list("path", flat=True))


def settle(paths: Collection[str]) -> None:
    """Note that these were compared: they are whole, replaced, set aside or gone."""
    if paths:
        SuspectObject.objects.filter(path__in=paths).update(compared_at=timezone.now())


def _place(name: str) -> str:
    kind, _, digest = name.partition("/")
    return f"{kind}/{digest[:2]}/{digest}" if kind == "data" else name
