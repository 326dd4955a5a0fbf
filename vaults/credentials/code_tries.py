"""How many wrong one-time codes may be tried: from a network, and for a vault.

Like passwords (portal/accounts/throttle.py): a try is written down before the code is looked for, so that many at once
cannot slip past the count; the one that is right is taken out again, and so is one that has to wait.

- A *network* has TRIES_FROM_NETWORK in a quarter of an hour, whatever vaults they are for.
- A *vault* has TRIES_FOR_VAULT. Beyond these it is crowded: whoever has not guessed before still gets in, since every
  network has TRIES_WHEN_CROWDED, but all together no more than A_MINUTE_WHEN_CROWDED. So nobody shuts others out by
  guessing, and of 2^60 codes a few thousand an hour are tried.
"""

import math
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from portal.core.errors import Throttled
from portal.core.networks import network_of
from vaults.models import CodeTry

WINDOW = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
TRIES_FROM_NETWORK = 20
TRIES_FOR_VAULT = 200
TRIES_WHEN_CROWDED = 3
A_MINUTE_WHEN_CROWDED = 60


def take(vault_id: UUID, *, address: str) -> CodeTry:
    """Note a try; `give_back()` it when the code was right. Raises Throttled, and then nothing is noted."""
    now = timezone.now()
    CodeTry.objects.filter(at__lt=now - WINDOW).delete()
    taken = CodeTry.objects.create(vault_id=vault_id, network=network_of(address), at=now)
    seconds = _seconds(taken)
    if seconds:
        taken.delete()
        raise Throttled(
            "Too many wrong one-time codes were tried. Wait, then type the code that the Quick Start page shows.",
            retry_after=seconds,
        )
    return taken


def give_back(taken: CodeTry) -> None:
    """The code was right, whatever became of it: that was no guess."""
    CodeTry.objects.filter(pk=taken.pk).delete()


def _seconds(taken: CodeTry) -> int:
    here, for_vault = _before(taken).filter(network=taken.network), _before(taken).filter(vault_id=taken.vault_id)
    wait = _wait(here, TRIES_FROM_NETWORK, taken.at)
    if not for_vault[TRIES_FOR_VAULT - 1 : TRIES_FOR_VAULT].exists():
        return wait
    last_minute = for_vault.filter(at__gte=taken.at - MINUTE)
    own = _wait(here, TRIES_WHEN_CROWDED, taken.at)
    return max(wait, own, _wait(last_minute, A_MINUTE_WHEN_CROWDED, taken.at, MINUTE))


def _before(taken: CodeTry) -> QuerySet[CodeTry]:
    return CodeTry.objects.filter(at__gte=taken.at - WINDOW, pk__lt=taken.pk).order_by("-at")


def _wait(tries: QuerySet[CodeTry], allowed: int, now: datetime, window: timedelta = WINDOW) -> int:
    """Seconds until fewer than `allowed` of the tries are within the window."""
    blocking = tries[allowed - 1 : allowed].first()
    return 0 if blocking is None else max(1, math.ceil((blocking.at + window - now).total_seconds()))
