"""The canary: proof that a worker takes messages and reaches the database."""

from celery import shared_task

from portal.heartbeats import beat


@shared_task(name="portal.canary")
def canary() -> None:
    """Note that a worker lives."""
    beat("worker")
