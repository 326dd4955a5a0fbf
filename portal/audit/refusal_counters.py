"""Floods of the same refusal: counted for a minute instead of written one by one.

Entries are never changed, so the count cannot be kept in the first one: it waits in a row of its own, and becomes an
entry when the minute is over (`portal.audit.record`). A count that is lost with the database is the worst case.
"""

from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from portal.audit.models import RefusalCounter
from portal.audit.targets import Target
from portal.core.actor import Actor

SECONDS = 60
AT_ONCE = 100
"""The most counts that are written in one transaction."""
MOST_FROM_ADDRESS = 30
"""The most floods of one address that are told apart, so that refusals about ever other things stay few entries."""
OTHERS = {"action": "refusal:others", "actor_label": "various"}


def is_repetition(action: str, *, actor: Actor, target: Target, code: str) -> bool:
    """Whether the same was refused within the last minute, then it is counted; else the minute begins now.

    Beyond the most that one address is told apart, all that is refused to it counts as the same.
    """
    same = {
        "action": action,
        "actor_label": actor.label[:200],
        "address": actor.address,
        "target_type": target.type,
        "target_id": target.id,
        "code": code[:64],
    }
    if _counted(same):
        return True
    if RefusalCounter.objects.filter(address=actor.address).count() < MOST_FROM_ADDRESS:
        more = {"target_label": target.label, "vault_id": target.vault_id}
        return not _begun(same, actor.via, **more) and _counted(same)
    same = {**dict.fromkeys(same, ""), **OTHERS, "address": actor.address}
    _begun(same, actor.via)
    return _counted(same)


def _counted(same: dict[str, str]) -> bool:
    return bool(RefusalCounter.objects.filter(**same).update(repeated=F("repeated") + 1))


def _begun(same: dict[str, str], via: str, **more: object) -> bool:
    defaults = {"via": via, "since": timezone.now(), **more}
    return RefusalCounter.objects.get_or_create(**same, defaults=defaults)[1]


def take_ended() -> list[RefusalCounter]:
    """End the floods whose minute is over; those in which something was repeated, for an entry each.

    Rows that another transaction is taking are left to it.
    """
    over = RefusalCounter.objects.filter(since__lte=timezone.now() - timedelta(seconds=SECONDS))
    ended = list(over.select_for_update(skip_locked=True).order_by("since")[:AT_ONCE])
    if ended:
        RefusalCounter.objects.filter(pk__in=[flood.pk for flood in ended]).delete()
    return [flood for flood in ended if flood.repeated]
