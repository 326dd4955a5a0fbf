"""How long the site keeps its own rows."""

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.utils import timezone

from portal.accounts.models import SignInFailure
from portal.core.retention import Rules
from portal.notifications.models import Notification

ENDED_WELL = timedelta(days=90)
NEEDED_SOMEBODY = timedelta(days=400)
TRIES = timedelta(days=1)
State = Notification.State


def rules() -> Rules:
    """Sessions that have ended, wrong passwords that count no more, notifications with their dismissals."""
    now = timezone.now()
    told = Notification.objects
    return {
        "sessions": Session.objects.filter(expire_date__lt=now),
        "wrong passwords": SignInFailure.objects.filter(at__lt=now - TRIES),
        "notifications of what ended well": told.filter(
            state__in=[State.SUCCEEDED, State.INFO], updated_at__lt=now - ENDED_WELL
        ),
        "notifications of what needed somebody": told.filter(
            state__in=[State.FAILED, State.ATTENTION], updated_at__lt=now - NEEDED_SOMEBODY
        ),
    }
