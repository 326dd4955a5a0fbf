"""Objects that machines have found damaged: compared with their names at once, instead of when the scrub comes by.

Only where there is a pair to replace them from. A machine tells names, of its own folder alone, and decides nothing:
what is whole stays as it is. So all that it can cause is reading, and of that no more than MOST objects a day.
"""

import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from vaults.integrity import verify
from vaults.models import PairedCopy, Redundancy, SuspectObject, Vault
from vaults.regions.storage import layout
from vaults.regions.storage.rclone import region_storage

MOST = 1000
"""Objects of one machine that are compared within a day. A repository with more of them damaged waits for the scrub."""
SLICE = 30  # seconds of one round, and seconds' worth of a scrub's bytes
KEPT = timedelta(days=1)
"""At least (vaults/lifetimes.py): for so long the same object is not compared again."""


def compare_soon(vault: Vault, machine_id: UUID, names: Collection[str], *, at: datetime) -> None:
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


def compare(copy: PairedCopy, go_on: Callable[[], None]) -> bool:
    """Compare what machines of the vault have found damaged, in both regions: what is not whole comes back from the
    other, or is set aside. Whether that was all; else the rest is for the next round.

    As much at a time as a scrub reads, so that a machine that calls everything damaged keeps no copy waiting. `go_on`
    is called before each object, and may raise. One that changed lately waits, unread: it may be an upload under way.
    Raises StorageError.
    """
    began, left = time.monotonic(), SLICE * settings.SCRUB_BYTES_A_SECOND
    regions = [(region_storage(region), region) for region in (copy.vault.region, copy.region)]
    waiting = SuspectObject.objects.filter(vault_id=copy.vault_id, compared_at=None).order_by("reported_at", "pk")
    for row in list(waiting[: 2 * MOST]):
        if left <= 0 or time.monotonic() > began + SLICE:
            return False
        found = [(storage, region, item) for storage, region in regions if (item := layout.stored(storage, row.path))]
        if any(item.modified > timezone.now() - verify.SETTLED for _, of, item in found if of == copy.vault.region):
            continue
        for storage, region, item in found:
            go_on()
            verify.compare(storage, region, [item], uploads=False)  # what may be one was left out; none go to the pair
            left -= item.size
        SuspectObject.objects.filter(pk=row.pk).update(compared_at=timezone.now())
    return True


def _place(name: str) -> str:
    kind, _, digest = name.partition("/")
    return f"{kind}/{digest[:2]}/{digest}" if kind == "data" else name
