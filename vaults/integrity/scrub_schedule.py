"""Walks over all that regions store, comparing it with its names: which are due, and how far each one is.

The row says all; `vaults.integrity.scrubber` does the walking.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from vaults.models import Region, Scrub

TASK = "vaults.scrub_region"
LEASE = 240  # seconds; above the longest batch of objects
AFTER_TROUBLE = timedelta(minutes=5)


def overdue() -> list[int]:
    """Walks that are due and that no worker holds; every region that is switched on has one."""
    for region in Region.objects.filter(enabled=True, scrub=None):
        Scrub.objects.get_or_create(region=region, defaults={"due_at": Now()})
    return list(Scrub.objects.filter(Scrub.unclaimed(), region__enabled=True).values_list("pk", flat=True))


def claim(scrub_id: int) -> Scrub | None:
    """Take the walk, at its beginning or where it was left; None when it is not due, or is held by another."""
    scrub = Scrub.objects.select_related("region").filter(pk=scrub_id).first()
    if scrub is None or not scrub.claim(LEASE):
        return None
    if scrub.began_at is None:
        scrub.save_held(objects_compared=0, bytes_compared=0, objects_set_aside=0, done_to="")
    scrub.save_held(began_at=Coalesce("began_at", Now()))
    return scrub


def save_progress(scrub: Scrub, *, to: str, objects: int, size: int, set_aside: int) -> None:
    """Save the progress up to the path `to`, and keep the lease. Raises LeaseLost."""
    scrub.save_held(
        hold=LEASE,
        done_to=to,
        objects_compared=F("objects_compared") + objects,
        bytes_compared=F("bytes_compared") + size,
        objects_set_aside=F("objects_set_aside") + set_aside,
    )


def pause(scrub: Scrub, *, seconds: float) -> None:
    """Throttle: release the lease; another task continues after so many seconds. Raises LeaseLost."""
    scrub.save_held(release=True, due_at=Now() + timedelta(seconds=seconds), attempts=0, trouble="")


def record_failure(scrub: Scrub, trouble: object) -> None:
    """The storage does not answer: note it, and go on later at the same place. Raises LeaseLost."""
    scrub.save_held(release=True, due_at=Now() + AFTER_TROUBLE, trouble=str(trouble)[:500])


def mark_complete(scrub: Scrub) -> None:
    """All has been compared; the next walk begins SCRUB_DAYS after the beginning of this one. Raises LeaseLost."""
    scrub.save_held(
        release=True,
        finished_at=Now(),
        due_at=F("began_at") + timedelta(days=settings.SCRUB_DAYS),
        began_at=None,
        done_to="",
        attempts=0,
        trouble="",
    )
