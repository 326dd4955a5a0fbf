"""Background tasks of vaults. Rows say what is to do; messages only say where to look."""

from uuid import UUID

from celery import shared_task

from portal.heartbeats import beat
from portal.queue import enqueue
from vaults import (
    approvals,
    challenges,
    copies,
    operations,
    provisioning,
    removals,
    replication,
    scrubbing,
    scrubs,
    space,
)

AT_ONCE = 500  # rows that one sweep takes up


@shared_task(name=operations.TASK)
def run_operation(operation_id: str) -> None:
    """Make one attempt at the operation."""
    provisioning.run(UUID(operation_id))


@shared_task(name=copies.TASK)
def copy_vault(copy_id: int) -> None:
    """Bring the copy in the paired region up to date."""
    replication.run(copy_id)


@shared_task(name=scrubs.TASK)
def scrub_region(scrub_id: int) -> None:
    """Compare a slice of what a region stores with its names."""
    scrubbing.run(scrub_id)


@shared_task(name="vaults.scrub")
def scrub() -> None:
    """Enqueue the walks over regions that are due."""
    for scrub_id in scrubs.overdue():
        enqueue(scrubs.TASK, scrub_id)


@shared_task(name="vaults.space")
def measure_space() -> None:
    """Note how much space the regions have left."""
    space.measure()


@shared_task(name="vaults.sweep")
def sweep() -> None:
    """Enqueue again what is due and held by nobody, end or forget what has expired, and note that sweeps happen."""
    for operation_id in operations.overdue(AT_ONCE):
        enqueue(operations.TASK, str(operation_id))
    for copy_id in copies.overdue(AT_ONCE):
        enqueue(copies.TASK, copy_id)
    approvals.expire(AT_ONCE)
    challenges.forget_old()
    removals.write_counts()
    beat("sweep")
