"""How long vaults keep rows about what is over."""

from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from portal.retention import Rules
from vaults.models import Operation
from vaults.states import OperationState

OPERATIONS = timedelta(days=90)


def rules() -> Rules:
    """Operations that have ended, but for the newest of each vault and kind."""
    newer = Operation.objects.filter(
        vault=OuterRef("vault"), kind=OuterRef("kind"), started_at__gt=OuterRef("started_at")
    )
    ended = Operation.objects.exclude(state=OperationState.RUNNING)
    return {"operations": ended.filter(Exists(newer), finished_at__lt=timezone.now() - OPERATIONS)}
