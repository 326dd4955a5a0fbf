"""`show()` and `publish()`: tell people what runs, how far it is, and how it ended."""

from django.db.models import Case, F, Value, When
from django.utils import timezone

from portal.accounts.models import Subscription, User
from portal.notifications.models import Dismissal, Notification
from portal.notifications.notices import Notice, Withdrawal

State = Notification.State
ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.ATTENTION, State.INFO})


def publish(
    key: str,
    *,
    state: Notification.State,
    title: str,
    step: str = "",
    progress: int = 0,
    url: str = "",
    subscription: Subscription | None = None,
    user: User | None = None,
    for_approvers: bool = False,
) -> None:
    """Show or change the entry `key`, in the transaction that is open.

    The audience is the members of `subscription`, and `user`, and with `for_approvers` all approvers; it is set when
    the entry is first published and updated with each call. `progress` is in per cent.
    """
    now = timezone.now()
    values: dict[str, object] = {
        "state": state,
        "title": _cut(title, 200),
        "step": _cut(step, 300),
        "progress": 100 if state == State.SUCCEEDED else progress,
        "url": url,
        "subscription": subscription,
        "user": user,
        "for_approvers": for_approvers,
        "updated_at": now,
        "finished_at": now if state in ENDED else None,
    }
    again: dict[str, object] = {}
    if state in ENDED:  # another end of the same kind is news of its own, and did not take as long as lies between
        again["started_at"] = Case(When(state__in=ENDED, then=Value(now)), default=F("started_at"))
    Notification.objects.update_or_create(
        key=key, defaults={**values, **again}, create_defaults={**values, "key": key, "started_at": now}
    )


def _cut(text: str, longest: int) -> str:
    """At most so many characters; what is cut off ends after a word, and with a sign of it."""
    return text if len(text) <= longest else f"{text[: longest - 1].rpartition(' ')[0] or text[: longest - 1]}…"


def show(notice: Notice | Withdrawal) -> None:
    """Do what the notice says, in the transaction that is open."""
    if isinstance(notice, Withdrawal):
        withdraw(notice.key)
        return
    publish(
        notice.key,
        state=notice.state,
        title=notice.title,
        step=notice.step,
        progress=notice.progress,
        url=notice.url,
        subscription=notice.subscription,
        for_approvers=notice.for_approvers,
    )
    if notice.requester is not None:
        put_away(notice.key, notice.requester)


def put_away(key: str, user: User) -> None:
    """Put the entry `key` away for somebody whom it asks for nothing, as if they had dismissed it."""
    for entry in Notification.objects.filter(key=key):
        Dismissal.objects.update_or_create(notification=entry, user=user, defaults={"at": entry.updated_at})


def withdraw(key: str) -> None:
    """Take the entry `key` away, where there is one: it no longer concerns anybody."""
    Notification.objects.filter(key=key).delete()
