"""Weaker policies that wait for a second person, as the page Requests and its number in the navigation have them."""

from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse

from portal.accounts.models import Membership, User
from portal.approvals.states import RequestState
from portal.core.prepared import prepared
from portal.web.inbox import Queue, Waiting
from portal.web.navigation import MOST
from vaults.models import RetentionChange


def waiting(user: User, most: int) -> Queue:
    """What the person sees of them, decides on it or not: those who asked look here as well."""
    rows = RetentionChange.objects.visible_to(user).filter(state=RequestState.PENDING)
    rows = rows.select_related("vault__subscription", "requested_by").order_by("requested_at", "id")
    found = [_shown(asked) for asked in rows[: most + 1]]
    return Queue("Retention policies to be weakened", found[:most], len(found) > most)


def count_to_decide(user: User, limit: int) -> int:
    """How many of them the person may decide on, counted up to `limit` and MOST + 1."""
    return len(_to_decide(user.pk, everybodys=user.is_approver)[:limit])


@prepared
def _to_decide(user_id: int, *, everybodys: bool) -> QuerySet[RetentionChange, UUID]:
    rows = RetentionChange.objects.filter(state=RequestState.PENDING).exclude(requested_by=user_id)
    if not everybodys:
        rows = rows.filter(
            Exists(Membership.objects.filter(user=user_id, subscription=OuterRef("vault__subscription")))
        )
    return rows.values_list("pk", flat=True)[: MOST + 1]


def _shown(asked: RetentionChange) -> Waiting:
    return Waiting(
        id=asked.pk,
        title=asked.vault.name,
        about=asked.vault.subscription.name,
        url=reverse("vaults:request", args=[asked.pk]),
        asked_by=asked.requested_by,
        asked_at=asked.requested_at,
    )
