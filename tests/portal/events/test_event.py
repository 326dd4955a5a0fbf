"""What an event says is written and shown, all of it or nothing, and one entry for each thing that is told of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction

from agents.models import Run
from agents.monitoring import events as monitoring
from agents.monitoring import runs
from portal.accounts.models import Subscription, User
from portal.audit.actions import Action
from portal.audit.models import AuditEvent
from portal.core.actor import SYSTEM
from portal.events.event import Entry, Event, happened
from portal.notifications.models import Dismissal, Notification
from portal.notifications.notices import Notice, Topic, Withdrawal
from tests.factories import as_actor
from vaults import operation_events
from vaults.models import Operation

pytestmark = pytest.mark.django_db
State = Notification.State


@dataclass(frozen=True)
class Renamed(Event):
    """A subscription has another name; people hear of it as long as it is not taken back."""

    subscription: Subscription
    by: User
    back: bool = False

    def entry(self) -> Entry:
        return Entry(Action.SUBSCRIPTION_RENAME, self.subscription, {"to": self.subscription.name})

    def notices(self) -> Iterator[Notice | Withdrawal]:
        if self.back:
            yield Withdrawal(Topic.VAULT_REQUEST, str(self.subscription.pk))
        else:
            yield Notice(
                topic=Topic.VAULT_REQUEST,
                about=str(self.subscription.pk),
                state=State.ATTENTION,
                title=f"Now {self.subscription.name}.",
                step="Look.",
                url="/vaults/",
                subscription=self.subscription,
                for_approvers=True,
                requester=self.by,
            )


def test_it_is_recorded_and_shown(subscription: Subscription, staff: User) -> None:
    happened(Renamed(subscription, staff), actor=as_actor(staff))
    entry, shown = AuditEvent.objects.get(), Notification.objects.get()
    assert (entry.action, entry.actor, entry.target_id) == (Action.SUBSCRIPTION_RENAME, staff, str(subscription.pk))
    assert (entry.target_label, entry.detail) == ("Default", {"to": "Default"})
    assert (shown.key, shown.state) == (f"vault-request:{subscription.pk}", State.ATTENTION)
    assert (shown.title, shown.step, shown.url) == ("Now Default.", "Look.", "/vaults/")
    assert (shown.subscription, shown.for_approvers, shown.user) == (subscription, True, None)


def test_who_asks_is_not_asked(subscription: Subscription, staff: User, approver: User) -> None:
    happened(Renamed(subscription, staff), actor=as_actor(staff))
    assert [row.user for row in Dismissal.objects.all()] == [staff]


def test_the_same_again_is_one_entry_and_a_withdrawal_ends_it(subscription: Subscription, staff: User) -> None:
    for name in ("First", "Second"):
        subscription.name = name
        happened(Renamed(subscription, staff), actor=as_actor(staff))
    assert [row.title for row in Notification.objects.all()] == ["Now Second."]
    happened(Renamed(subscription, staff, back=True), actor=as_actor(staff))
    assert not Notification.objects.exists()
    assert AuditEvent.objects.count() == 3


def test_an_event_may_say_nothing() -> None:
    happened(Event(), actor=SYSTEM)
    assert not AuditEvent.objects.exists()
    assert not Notification.objects.exists()


def test_what_cannot_be_shown_is_not_recorded_either(
    subscription: Subscription, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(key: str, **values: Any) -> None:
        raise OSError("no room")

    monkeypatch.setattr("portal.notifications.publish.publish", broken)
    with pytest.raises(OSError, match="no room"), transaction.atomic():
        happened(Renamed(subscription, staff), actor=as_actor(staff))
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_belongs_into_a_transaction(subscription: Subscription, staff: User) -> None:
    with pytest.raises(RuntimeError, match="transaction of the change"):
        happened(Renamed(subscription, staff), actor=as_actor(staff))
    assert not AuditEvent.objects.exists()


def test_every_kind_of_run_and_operation_has_its_words() -> None:
    assert set(runs.ACTIONS) == set(monitoring.TOPICS) == set(Run.Kind.values)
    tables = (operation_events.TOPICS, operation_events.RUNNING, operation_events.DONE, operation_events.FAILED)
    assert all(set(table) == set(Operation.Kind) for table in tables)
