"""Putting notifications away. It is a matter of one's own view: others still see them, and no audit entry is made."""

from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from portal.core.actor import Actor
from portal.core.errors import NotFound
from portal.notifications.models import Dismissal, Notification, Reading


def dismiss(notification_id: UUID, *, actor: Actor) -> None:
    """Put one ended entry away; one that runs stays. Raises NotFound for what the person does not see."""
    notification = Notification.objects.visible_to(actor.person).filter(pk=notification_id).first()
    if notification is None:
        raise NotFound
    if notification.state != Notification.State.RUNNING:
        Dismissal.objects.update_or_create(
            notification=notification, user=actor.person, defaults={"at": timezone.now()}
        )


def saw(until: datetime, *, actor: Actor) -> None:
    """What ended up to `until` has been on the person's screen: what succeeded leaves their area for good."""
    _read("seen_until", until, actor)


def dismiss_completed(until: datetime, *, actor: Actor) -> None:
    """Put away what ended well up to `until`, which is what the person saw; what needs somebody stays."""
    _read("dismissed_until", until, actor)


def _read(column: str, until: datetime, actor: Actor) -> None:
    """Move the moment on, never back, and never into the future."""
    until = min(until, timezone.now())
    Reading.objects.get_or_create(user=actor.person)
    behind = Q((f"{column}__isnull", True)) | Q((f"{column}__lt", until))
    Reading.objects.filter(behind, user=actor.person).update(**{column: until})
