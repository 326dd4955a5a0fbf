"""Objects that machines have found damaged: compared with their names at once, instead of when the scrub comes by.

Only where there is a pair to replace them from. A machine tells names, of its own folder alone, and decides nothing:
what is whole stays as it is. So all that it can cause is reading, and of that no more than MOST objects a day.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from vaults.models import Redundancy, SuspectObject, Vault
from vaults.regions.storage.layout import Stored

MOST = 1000
"""Objects of one machine that are compared within a day. A repository with more of them damaged waits for the scrub."""
KEPT = timedelta(days=1)


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


def among(machine_id: UUID, stored: Iterable[Stored]) -> list[Stored]:
    """Those of the machine's objects that are to be compared; one query. Notes about others, which are gone, go."""
    waiting = SuspectObject.objects.filter(machine_id=machine_id, compared_at=None)
    paths = set(waiting.values_list("path", flat=True))
    found = [item for item in stored if item.path in paths] if paths else []
    if gone := paths - {item.path for item in found}:
        SuspectObject.objects.filter(path__in=gone).delete()
    return found


def compared(items: Iterable[Stored]) -> None:
    """Note that these are settled: whole, replaced or set aside."""
    SuspectObject.objects.filter(path__in=[item.path for item in items]).update(compared_at=timezone.now())


def forget_old() -> None:
    """Drop what was told more than KEPT ago: by then it was compared, or its vault is copied no more."""
    SuspectObject.objects.filter(reported_at__lt=timezone.now() - KEPT).delete()


def _place(name: str) -> str:
    kind, _, digest = name.partition("/")
    return f"{kind}/{digest[:2]}/{digest}" if kind == "data" else name
