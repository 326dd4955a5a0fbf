"""Background tasks of vaults. Rows say what is to do; messages only say where to look."""

from uuid import UUID

from celery import shared_task

from portal.core.slots import BULK, MEASURING, PROBING
from portal.health.heartbeats import beat
from portal.queue import enqueue
from vaults import copy_schedule, operations
from vaults.credentials import possession
from vaults.integrity import lock_schedule, lock_walker, scrub_schedule, scrubber
from vaults.lifecycle import provisioning
from vaults.recovery import bring_back
from vaults.regions import capacity, probing
from vaults.replication import copier
from vaults.requests import vault_requests
from vaults.retention_policy import changes
from vaults.trash import purge, removals

AT_ONCE = 500  # rows that one sweep takes up


@shared_task(name=operations.TASK)
def run_operation(operation_id: str) -> None:
    """Make one attempt at the operation."""
    provisioning.run(UUID(operation_id))


@shared_task(name=copy_schedule.TASK)
@BULK
def copy_vault(copy_id: int) -> None:
    """Bring the copy in the paired region up to date."""
    copier.run(copy_id)


@shared_task(name=scrub_schedule.TASK)
@BULK
def scrub_region(scrub_id: int) -> None:
    """Compare a slice of what a region stores with its names."""
    scrubber.run(scrub_id)


@shared_task(name=purge.TASK)
@BULK
def purge_trash(machine_id: str) -> None:
    """Delete for good what may go of a machine's trash."""
    purge.run(UUID(machine_id))


@shared_task(name="vaults.purge")
def purge_overdue() -> None:
    """Enqueue the machines whose trash may be purged."""
    for machine_id in purge.overdue(AT_ONCE):
        enqueue(purge.TASK, str(machine_id))


@shared_task(name="vaults.scrub")
def scrub() -> None:
    """Enqueue the walks over regions that are due."""
    for scrub_id in scrub_schedule.overdue():
        enqueue(scrub_schedule.TASK, scrub_id)


@shared_task(name=lock_schedule.TASK)
@BULK
def extend_locks(walk_id: int) -> None:
    """Extend the locks of a slice of what a region with object lock has."""
    lock_walker.run(walk_id)


@shared_task(name="vaults.locks")
def locks() -> None:
    """Enqueue the walks over regions with object lock that are due, and tell of those that are late."""
    for walk_id in lock_schedule.overdue():
        enqueue(lock_schedule.TASK, walk_id)
    lock_schedule.tell_late()


@shared_task(name="vaults.space")
@MEASURING
def measure_space() -> None:
    """Note how much space the regions have left."""
    capacity.measure()


@shared_task(name="vaults.probe")
@PROBING
def probe_regions() -> None:
    """Write to each region and read back, so that health can tell."""
    probing.probe()


@shared_task(name="vaults.sweep")
def sweep() -> None:
    """Enqueue again what is due and held by nobody, end or forget what has expired, and note that sweeps happen."""
    for operation_id in operations.overdue(AT_ONCE):
        enqueue(operations.TASK, str(operation_id))
    for copy_id in copy_schedule.overdue(AT_ONCE):
        enqueue(copy_schedule.TASK, copy_id)
    vault_requests.expire(AT_ONCE)
    changes.expire(AT_ONCE)
    possession.forget_old()
    removals.write_counts()
    bring_back.tell_unfinished()
    beat("sweep")
