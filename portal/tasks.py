"""The canary, which proves that a worker takes messages and reaches the database, and the counts of refusals."""

from celery import shared_task

from portal.audit.record import write_refusal_counts
from portal.heartbeats import beat


@shared_task(name="portal.canary")
def canary() -> None:
    """Note that a worker lives."""
    beat("worker")


@shared_task(name="portal.refusal-counts")
def refusal_counts() -> None:
    """Write down how often refusals were repeated; see portal/audit/floods.py."""
    write_refusal_counts()
