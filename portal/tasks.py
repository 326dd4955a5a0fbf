"""The site's own background work: the canary, which proves that a worker takes messages and reaches the database, the
counts of refusals, the edge's certificate, and the rows that are only of use for a while."""

from celery import shared_task

from portal.audit.record import write_refusal_counts
from portal.core import retention
from portal.core.actor import SYSTEM
from portal.edge import files
from portal.health.heartbeats import beat


@shared_task(name="portal.canary")
def canary() -> None:
    """Note that a worker lives."""
    beat("worker")


@shared_task(name="portal.refusal-counts")
def refusal_counts() -> None:
    """Write down how often refusals were repeated; see portal/audit/refusal_counters.py."""
    write_refusal_counts()


@shared_task(name="portal.edge-files")
def edge_files_up_to_date() -> None:
    """Renew the edge's certificate when it nears its end."""
    files.bring_up_to_date(SYSTEM)


@shared_task(name="portal.core.retention")
def delete_what_may_go() -> None:
    """Delete rows that are only of use for a while."""
    retention.run()
