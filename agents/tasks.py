"""Background tasks of agents."""

from celery import shared_task
from django.utils import timezone

from agents.monitoring import proof_age, schedules
from agents.protocol import certificates, spent_tokens
from agents.replacement import replacements
from agents.storage_access import usage
from portal.core.slots import MEASURING

AT_ONCE = 500  # rows that one round takes up


@shared_task(name="agents.forget_spent")
def forget_spent() -> None:
    """Drop the notes of messages that are too old to be accepted again, and certificates that nobody can renew with."""
    spent_tokens.forget(timezone.now())
    certificates.forget_old(timezone.now(), AT_ONCE)


@shared_task(name="agents.expire_replacements")
def expire_replacements() -> None:
    """End requests to replace a machine that were not decided, or not used, in time."""
    replacements.expire(AT_ONCE)


@shared_task(name="agents.late")
def tell_of_late() -> None:
    """Tell people of machines whose backups have not come, whose proofs are too old, or that restore too slowly."""
    schedules.tell_of_late(timezone.now(), AT_ONCE)
    proof_age.tell(timezone.now(), AT_ONCE)


@shared_task(name="agents.usage")
@MEASURING
def measure_usage() -> None:
    """Note how much machines have stored, where that is limited."""
    usage.measure()
