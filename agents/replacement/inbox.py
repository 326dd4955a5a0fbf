"""Replacements that wait for a second person, as the page Requests and its number in the navigation have them."""

from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse

from agents.models import ReplacementRequest
from agents.replacement.queries import decidable_by
from agents.states import ReplacementState
from portal.accounts.models import User
from portal.core.prepared import prepared
from portal.web.inbox import Queue, Waiting
from portal.web.navigation import MOST


def waiting(user: User, most: int) -> Queue:
    """What the person sees of them, decides on it or not: those who asked look here as well."""
    rows = ReplacementRequest.objects.visible_to(user).filter(state=ReplacementState.PENDING)
    rows = rows.select_related("machine__vault__subscription", "requested_by").order_by("requested_at", "id")
    found = [_shown(asked) for asked in rows[: most + 1]]
    return Queue("Machines to be replaced", found[:most], len(found) > most)


def count_to_decide(user: User, limit: int) -> int:
    """How many of them the person may decide on, counted up to `limit` and MOST + 1."""
    return len((_for_approver if user.is_approver else _for_member)(user.pk)[:limit])


@prepared
def _for_approver(user_id: int) -> QuerySet[ReplacementRequest, UUID]:
    return decidable_by(user_id, is_approver=True).values_list("pk", flat=True)[: MOST + 1]


@prepared
def _for_member(user_id: int) -> QuerySet[ReplacementRequest, UUID]:
    return decidable_by(user_id, is_approver=False).values_list("pk", flat=True)[: MOST + 1]


def _shown(asked: ReplacementRequest) -> Waiting:
    vault = asked.machine.vault
    return Waiting(
        id=asked.pk,
        title=asked.machine.name,
        about=f"{vault.subscription.name} · {vault.name}",
        url=reverse("agents:replacement", args=[asked.machine_id]),
        asked_by=asked.requested_by,
        asked_at=asked.requested_at,
    )
