"""Putting notifications away. It is a matter of one's own view: others still see them, and no audit entry is made."""

from uuid import UUID

from django.utils import timezone

from portal.accounts.actors import Actor
from portal.errors import NotFound
from portal.notifications.models import Dismissal, Notification
from portal.notifications.queries import visible_to
from portal.notifications.standing import standing_of


def dismiss(notification_id: UUID, *, actor: Actor) -> None:
    """Put one ended entry away; one that runs stays. Raises NotFound for what the person does not see."""
    notification = visible_to(actor.person).filter(pk=notification_id).first()
    if notification is None:
        raise NotFound
    if notification.state != Notification.State.RUNNING:
        _put_away([notification.pk], actor)


def dismiss_ended(*, actor: Actor) -> None:
    """Put away all that has ended and still stands in the person's area."""
    standing, _ = standing_of(actor.person, timezone.now())
    _put_away([one.pk for one in standing if one.state != Notification.State.RUNNING], actor)


def _put_away(ids: list[UUID], actor: Actor) -> None:
    now = timezone.now()
    Dismissal.objects.bulk_create(
        [Dismissal(notification_id=one, user=actor.person, at=now) for one in ids],
        update_conflicts=True,
        unique_fields=["notification", "user"],
        update_fields=["at"],
    )
