"""Floods of the same refusal: counted for a minute instead of written one by one.

Entries are never changed, so the count cannot be kept in the first one: it waits in a row of its own, and becomes an
entry when the minute is over (`portal.audit.record`). A count that is lost with the database is the worst case.
"""

from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from portal.accounts.actors import Actor
from portal.audit.models import RefusalFlood

SECONDS = 60
AT_ONCE = 100
"""The most counts that are written in one transaction."""


def is_repetition(action: str, *, actor: Actor) -> bool:
    """Whether the same was refused within the last minute, then it is counted; else the minute begins now."""
    flood, first = RefusalFlood.objects.get_or_create(
        action=action,
        actor_label=actor.label[:200],
        address=actor.address,
        defaults={"via": actor.via, "since": timezone.now()},
    )
    return not first and bool(RefusalFlood.objects.filter(pk=flood.pk).update(repeated=F("repeated") + 1))


def take_ended() -> list[RefusalFlood]:
    """End the floods whose minute is over; those in which something was repeated, for an entry each.

    Rows that another transaction is taking are left to it.
    """
    over = RefusalFlood.objects.filter(since__lte=timezone.now() - timedelta(seconds=SECONDS))
    ended = list(over.select_for_update(skip_locked=True).order_by("since")[:AT_ONCE])
    if ended:
        RefusalFlood.objects.filter(pk__in=[flood.pk for flood in ended]).delete()
    return [flood for flood in ended if flood.repeated]
