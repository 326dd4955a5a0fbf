"""Floods of the same refusal: counted for a minute instead of written one by one.

Entries are never changed, so the count cannot be kept in the first one: it waits in a row of its own, and becomes an
entry when the minute is over (`portal.audit.record`). A count that is lost with the database is the worst case.

Counted is by network (`portal.core.networks`): who has one of IPv6 has as many addresses as they like. The first entry
has the full address. Strangers, whoever came neither as a person nor with anything that we know, have room of their
own: what they do takes no entry from people and machines, wherever these come from.
"""

from datetime import timedelta

from django.db.models import Count, F, Q
from django.utils import timezone

from portal.audit.actions import Action
from portal.audit.models import RefusalCounter
from portal.audit.targets import Target
from portal.core.actor import Actor
from portal.core.networks import network_of

SECONDS = 60
AT_ONCE = 100
"""The most counts that are written in one transaction."""
MOST_FROM_NETWORK = 30
"""The most floods of one network that are told apart, so that refusals about ever other things stay few entries; as
many again of the strangers there."""
MOST_OF_STRANGERS = 300
"""The most floods of all strangers that are told apart, so that those from ever other networks stay few entries."""
OTHERS = {"action": Action.REFUSAL_OTHERS, "actor_label": "various"}
OTHER_STRANGERS = {**OTHERS, "actor_label": "unknown"}


def is_repetition(action: str, *, actor: Actor, target: Target, code: str) -> bool:
    """Whether the same was refused within the last minute, then it is counted; else the minute begins now.

    Beyond the most that one network is told apart, all that is refused to it counts as the same; beyond the most that
    all strangers are, all that is refused to any of them.
    """
    network, stranger = network_of(actor.address), _is_stranger(actor, target)
    same = {
        "action": action,
        "actor_label": actor.label[:200],
        "address": network,
        "target_type": target.type,
        "target_id": target.id,
        "code": code[:64],
    }
    if _counted(same):
        return True
    others = _others_that_it_belongs_to(network, stranger=stranger)
    if others is None:
        more = {"target_label": target.label, "vault_id": target.vault_id, "stranger": stranger}
        return not _begun(same, actor.via, **more) and _counted(same)
    same = {**dict.fromkeys(same, ""), **others}
    _begun(same, actor.via, stranger=stranger)
    return _counted(same)


def _is_stranger(actor: Actor, target: Target) -> bool:
    """Nobody has signed in, and what came was signed by nothing that we know: a credential would be the target."""
    return actor.user is None and not target.id


def _others_that_it_belongs_to(network: str, *, stranger: bool) -> dict[str, str] | None:
    """The count in which a flood that begins goes up; None while it may have one of its own."""
    floods = RefusalCounter.objects.filter(stranger=stranger)
    if not stranger:
        return {**OTHERS, "address": network} if floods.filter(address=network).count() >= MOST_FROM_NETWORK else None
    of = floods.aggregate(all=Count("pk"), here=Count("pk", filter=Q(address=network)))
    if of["all"] >= MOST_OF_STRANGERS:
        return {**OTHER_STRANGERS, "address": ""}
    return {**OTHER_STRANGERS, "address": network} if of["here"] >= MOST_FROM_NETWORK else None


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
