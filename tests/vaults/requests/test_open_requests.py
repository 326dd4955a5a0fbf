"""How many requests of one person may wait for a decision, and who is told that one does."""

from typing import Any

import pytest
from pytest_django import Settings

from portal.accounts.models import Membership, Subscription, User
from portal.core.actor import Actor
from portal.core.errors import TooManyOpen
from portal.notifications.models import Dismissal, Notification
from portal.notifications.queries import area_of
from tests.at_once import at_once
from tests.factories import as_actor, member_of, person
from tests.portal.pages import text, window
from tests.vaults.factories import Ask
from vaults.models import NameReservation, Region, VaultRequest
from vaults.requests import vault_requests

pytestmark = pytest.mark.django_db
NOBODY = "Nobody can decide on your request."


def test_one_too_many_is_refused_until_another_is_decided(ask: Ask, decider: Actor, settings: Settings) -> None:
    settings.OPEN_REQUESTS = 3
    asked = [ask(f"Payroll-{number}") for number in range(3)]
    with pytest.raises(TooManyOpen) as refused:
        ask("Payroll-3")
    assert refused.value.detail == (
        "You have 3 open requests of this kind, the maximum."
        " Wait until some are decided, or cancel those you no longer need."
    )
    assert ask("Payroll-2") == asked[2]  # pressed twice: no other request
    assert (VaultRequest.objects.count(), NameReservation.objects.count()) == (3, 3)
    vault_requests.approve(asked[0].pk, actor=decider, comment="", digest=asked[0].digest)
    ask("Payroll-3")


def test_others_have_their_own(ask: Ask, subscription: Subscription, settings: Settings) -> None:
    settings.OPEN_REQUESTS = 1
    ask("Payroll")
    colleague = member_of(subscription)
    ask("Mail", actor=as_actor(colleague))
    assert VaultRequest.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_no_more_get_in(ask: Ask, settings: Settings) -> None:
    settings.OPEN_REQUESTS = 3
    calls = [lambda number=number: ask(f"Payroll-{number}") for number in range(8)]
    outcomes = at_once(calls)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["TooManyOpen"] * 5 + ["VaultRequest"] * 3
    assert VaultRequest.objects.count() == 3


def test_page_and_api_say_so(staff: User, ask: Ask, settings: Settings, regions: tuple[Region, Region]) -> None:
    settings.OPEN_REQUESTS = 1
    ask("Payroll")
    client = window(staff)
    form: dict[str, Any] = {"subscription": staff.subscriptions.get().pk, "name": "Mail", "region": regions[0].pk}
    form |= {"redundancy": "local", "reason": "Took ten minutes to write"}
    page = client.post("/vaults/new/", form)
    assert page.status_code == 422
    assert "You have 1 open requests of this kind" in text(page)
    assert "Took ten minutes to write" in text(page)
    body = {"subscription": "Default", "name": "Mail", "region": "Local A", "redundancy": "local", "reason": "x"}
    answer = client.post("/api/v1/vault-requests", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_open")


def test_an_approver_who_asks_is_not_told_to_decide(ask: Ask, approver: User, subscription: Subscription) -> None:
    other = person("other", is_approver=True)
    Membership.objects.create(user=approver, subscription=subscription)
    ask("Payroll", actor=as_actor(approver))
    dismissed = Dismissal.objects.get()
    assert (dismissed.user, dismissed.notification) == (approver, Notification.objects.get(for_approvers=True))
    assert "approver requests vault" not in str(area_of(approver))
    assert "approver requests vault" in str(area_of(other))


def test_the_form_says_beforehand_that_nobody_can_decide(
    staff: User, approver: User, subscription: Subscription, regions: tuple[Region, Region]
) -> None:
    assert NOBODY not in text(window(staff).get("/vaults/new/"))
    Membership.objects.create(user=approver, subscription=subscription)
    assert NOBODY in text(window(approver).get("/vaults/new/"))
    User.objects.filter(pk=approver.pk).update(is_active=False)
    assert NOBODY in text(window(staff).get("/vaults/new/"))
