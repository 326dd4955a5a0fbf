"""Messages that have been used: each counts once.

Apart from `authentication`, since the worker, which deletes old notes, is to load nothing that reads messages.
"""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from agents.models import SpentToken

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a machine's clock may be from ours; a message that is older is not accepted."""


def spend(jti: str, *, at: datetime) -> bool:
    """Mark a message as used, in the caller's transaction; False when it has been used before."""
    try:
        with transaction.atomic():
            SpentToken.objects.create(jti=jti, at=at)
    except IntegrityError:
        return False
    return True


def forget(at: datetime) -> int:
    """Delete the notes of messages that are too old to be accepted again; their number."""
    return SpentToken.objects.filter(at__lt=at - 3 * CLOCK_TOLERANCE).delete()[0]
