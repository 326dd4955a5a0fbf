"""How long vaults keep rows about what is over."""

from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from portal.core.retention import Rules
from vaults.credentials import one_time_codes
from vaults.integrity import suspects
from vaults.models import OneTimeCode, Operation, RemovalCount, SuspectObject
from vaults.states import OperationState

OPERATIONS = timedelta(days=90)
REMOVAL_COUNTS = timedelta(days=1)
"""Before today; only the count of today limits anything (vaults/trash/removals.py)."""


def rules() -> Rules:
    """Operations that have ended, but for the newest of each vault and kind; counts of removals of earlier days; what
    machines called damaged, which is compared by then, or told again; one-time codes, with what became of them."""
    newer = Operation.objects.filter(
        vault=OuterRef("vault"), kind=OuterRef("kind"), started_at__gt=OuterRef("started_at")
    )
    ended = Operation.objects.exclude(state=OperationState.RUNNING)
    now = timezone.now()
    return {
        "operations": ended.filter(Exists(newer), finished_at__lt=now - OPERATIONS),
        "objects that machines called damaged": SuspectObject.objects.filter(reported_at__lt=now - suspects.KEPT),
        "one-time codes": OneTimeCode.objects.filter(shown_at__lt=now - one_time_codes.KEPT),
        "counts of removals": RemovalCount.objects.filter(day__lt=now.date() - REMOVAL_COUNTS),
    }
