"""How long what machines have told is kept."""

from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from agents.models import RefusedRegistration, Run
from agents.monitoring.concerns import conclusive
from portal.core.retention import Rules

HISTORY = timedelta(days=400)
"""More than a year, so that the same weeks of last year can be looked at."""


def rules() -> Rules:
    """Runs, but for the newest of each machine and kind, and the newest that said something of what is stored;
    registrations that were refused."""
    before = timezone.now() - HISTORY
    newer = Run.objects.filter(
        machine=OuterRef("machine"), kind=OuterRef("kind"), reported_at__gt=OuterRef("reported_at")
    )
    over = Exists(newer.filter(conclusive())) | (Exists(newer) & ~conclusive())
    return {
        "runs": Run.objects.filter(over, reported_at__lt=before),
        "refused registrations": RefusedRegistration.objects.filter(at__lt=before),
    }
