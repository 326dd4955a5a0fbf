"""Background tasks of agents."""

from celery import shared_task
from django.utils import timezone

from agents import identity


@shared_task(name="agents.forget_spent")
def forget_spent() -> None:
    """Drop the notes of messages that are too old to be accepted again."""
    identity.forget_spent(timezone.now())
