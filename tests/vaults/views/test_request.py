"""The queue, and the page on which a request is decided."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.utils import timezone

from portal.accounts.models import Membership, Subscription, User
from portal.core.actor import Actor
from tests.factories import as_actor, member_of, person
from tests.vaults.factories import Ask
from tests.vaults.pages import links, poll, text_of, window
from vaults.models import Vault, VaultRequest
from vaults.requests import vault_requests

Decide = Callable[..., HttpResponse]


@pytest.fixture
def asked(ask: Ask) -> VaultRequest:
    return ask("Finance-Q4", reason="Quarter-end close")


@pytest.fixture
def decide(asked: VaultRequest) -> Decide:
    """Sends the decision form of the request as the person has it before them."""

    def send(user: User, verdict: str, comment: str = "", digest: str = "") -> HttpResponse:
        body = {"verdict": verdict, "comment": comment, "digest": digest or asked.digest}
        return window(user).post(f"/requests/{asked.pk}/", body)  # type: ignore[return-value]

    return send


def test_the_review_shows_all_that_is_asked_and_what_approval_creates(asked: VaultRequest, approver: User) -> None:
    text = text_of(window(approver).get(f"/requests/{asked.pk}/"))
    for fact in (
        'Vault "Finance-Q4" Waiting for approval',
        "Requested by staff",
        "Subscription Default",
        "Region Local A, copies to Local B",
        "Storage redundancy Geo-redundant",
        "Reason Quarter-end close",
        "one container in each of two regions, Local A and Local B",
        "Nobody has decided yet.",
        "Vaults in Default 0",
        "0 approved, 0 rejected",
    ):
        assert fact in text, fact


def test_what_was_decided_elsewhere_is_not_shown_to_a_member_of_one_subscription(
    ask: Ask, staff: User, approver: User, subscription: Subscription
) -> None:
    elsewhere = Subscription.objects.create(name="Elsewhere")
    Membership.objects.create(user=staff, subscription=elsewhere)
    colleague = member_of(subscription)
    hidden, shown = ask("Hidden", subscription=elsewhere), ask("Shown")
    for each in (hidden, shown):
        vault_requests.reject(each.pk, actor=as_actor(approver), comment="Too large.", digest=each.digest)
    path = f"/requests/{ask('Open').pk}/"
    assert "0 approved, 1 rejected" in text_of(window(colleague).get(path))
    assert "0 approved, 2 rejected" in text_of(window(approver).get(path))


def test_a_locally_redundant_vault_is_one_container(ask: Ask, approver: User) -> None:
    text = text_of(window(approver).get(f"/requests/{ask(redundancy='local').pk}/"))
    assert "Approval creates one container in Local A" in text
    assert "Local B" not in text


def test_the_requester_learns_who_can_decide_and_until_when(asked: VaultRequest, staff: User, approver: User) -> None:
    person("second", is_approver=True, full_name="Second Approver")
    text = text_of(window(staff).get(f"/requests/{asked.pk}/"))
    assert "approver or Second Approver can decide, until" in text
    assert "can be decided until" in text


def test_the_requester_is_told_when_nobody_can_decide(asked: VaultRequest, staff: User) -> None:
    assert "Nobody can decide on this request" in text_of(window(staff).get(f"/requests/{asked.pk}/"))


def test_approving_makes_the_vault(asked: VaultRequest, approver: User, decide: Decide) -> None:
    response = decide(approver, "approve", "Agreed with finance.")
    asked.refresh_from_db()
    assert (response.status_code, response["Location"]) == (302, f"/requests/{asked.pk}/")
    assert asked.state == "approved"
    text = text_of(window(approver).get(f"/requests/{asked.pk}/"))
    assert "approver approved" in text
    assert '"Agreed with finance."' in text
    assert Vault.objects.get().name == "Finance-Q4"


def test_rejecting_needs_a_comment(asked: VaultRequest, approver: User, decide: Decide) -> None:
    response: Any = decide(approver, "reject", "  ")
    asked.refresh_from_db()
    assert (response.status_code, asked.state) == (422, "pending")
    assert 'id="id_comment_error"' in response.content.decode()
    assert decide(approver, "reject", "Use Payroll.").status_code == 302
    asked.refresh_from_db()
    assert asked.state == "rejected"


def test_the_requester_cancels(asked: VaultRequest, staff: User, decide: Decide) -> None:
    page = window(staff).get(f"/requests/{asked.pk}/").content.decode()
    assert ">Cancel</button>" in page
    assert ">Approve</button>" not in page
    assert decide(staff, "cancel").status_code == 302
    asked.refresh_from_db()
    assert asked.state == "cancelled"


def test_who_comes_second_is_told_and_sees_how_it_is_now(asked: VaultRequest, approver: User, decide: Decide) -> None:
    second = person("second", is_approver=True)
    decide(approver, "approve")
    response = decide(second, "reject", "No")
    assert response.status_code == 409
    text = text_of(response)
    assert "Approved" in text
    assert "approver approved" in text
    assert ">Reject</button>" not in response.content.decode()
    assert Vault.objects.count() == 1


def test_a_decision_about_other_content_is_refused_with_the_content_of_now(
    asked: VaultRequest, approver: User, decide: Decide
) -> None:
    response = decide(approver, "approve", "Fine", digest="0" * 64)
    asked.refresh_from_db()
    assert (response.status_code, asked.state) == (409, "pending")
    page = response.content.decode()
    assert f'name="digest" value="{asked.digest}"' in page
    assert "Fine</textarea>" in page


@pytest.mark.parametrize("body", [{}, {"verdict": "approve"}, {"verdict": "grant", "digest": "x", "comment": ""}])
def test_a_form_that_is_not_ours_decides_nothing(body: dict[str, str], asked: VaultRequest, approver: User) -> None:
    response = window(approver).post(f"/requests/{asked.pk}/", body)
    asked.refresh_from_db()
    assert (response.status_code, asked.state) == (422, "pending")


def test_the_live_part_follows_the_decision_and_then_the_vault(
    asked: VaultRequest, staff: User, decider: Actor
) -> None:
    client, path = window(staff), f"/requests/{asked.pk}/"
    waiting = poll(client, path, "request-state")
    assert (waiting.status_code, b"<h1" in waiting.content) == (200, False)
    assert poll(client, path, "request-state", waiting["ETag"]).status_code == 304
    vault_requests.approve(asked.pk, actor=decider, comment="", digest=asked.digest)
    creating = poll(client, path, "request-state", waiting["ETag"])
    assert "Creating" in text_of(creating)
    assert b'id="request-decision"' in creating.content
    Vault.objects.update(state="Active")
    done = poll(client, path, "request-state")
    assert done.status_code == 286
    assert "Active" in text_of(done)


def test_who_was_first_is_said_and_that_it_was_oneself(asked: VaultRequest, approver: User, decide: Decide) -> None:
    decide(approver, "approve")
    again, other = decide(approver, "approve"), decide(person("second", is_approver=True), "reject", "No.")
    assert (again.status_code, other.status_code) == (409, 409)
    assert "This request is already approved by you." in text_of(again)
    assert "This request is already approved by approver." in text_of(other)


def test_a_request_that_waits_for_long_is_asked_about_seldom(asked: VaultRequest, staff: User, decide: Decide) -> None:
    client, path = window(staff), f"/requests/{asked.pk}/"

    def pauses() -> list[str]:
        return re.findall(r'id="request-state"[^>]* hx-trigger="every (\d+)s', client.get(path).content.decode())

    assert pauses() == ["2"]
    VaultRequest.objects.update(requested_at=timezone.now() - timedelta(minutes=11))
    assert pauses() == ["15"]
    decide(person("decider", is_approver=True), "approve")
    assert pauses() == ["1"]  # the vault is being created
    VaultRequest.objects.update(decided_at=timezone.now() - timedelta(minutes=11))
    assert pauses() == ["15"]  # its region does not answer, or a worker is away
    Vault.objects.update(state="Active")
    assert pauses() == []


def test_a_page_that_will_not_change_any_more_does_not_poll(asked: VaultRequest, staff: User, decide: Decide) -> None:
    decide(staff, "cancel")
    page = window(staff).get(f"/requests/{asked.pk}/").content.decode()
    assert f'hx-get="/requests/{asked.pk}/"' not in page


def test_the_queue_begins_with_those_that_wait_longest(ask: Ask, approver: User) -> None:
    for name in ("First", "Second", "Third"):
        ask(name)
    assert links(window(approver).get("/requests/"), "asked-") == ["First", "Second", "Third"]


def test_the_queue_shows_what_ended_by_how_it_ended(ask: Ask, approver: User, staff: User, outsider: User) -> None:
    rejected, cancelled = ask("Rejected"), ask("Cancelled")
    vault_requests.reject(rejected.pk, actor=as_actor(approver), comment="No", digest=rejected.digest)
    vault_requests.cancel(cancelled.pk, actor=as_actor(staff), comment="", digest=cancelled.digest)
    client = window(staff)
    assert links(client.get("/requests/"), "asked-") == []
    assert links(client.get("/requests/?state=rejected"), "asked-") == ["Rejected"]
    assert links(client.get("/requests/?state=cancelled"), "asked-") == ["Cancelled"]
    assert links(client.get("/requests/?state=nonsense"), "asked-") == []
    assert links(window(outsider).get("/requests/?state=rejected"), "asked-") == []


@pytest.mark.parametrize(("path", "queries"), [("/requests/", 5), ("/requests/?state=rejected", 4)])
def test_the_number_of_queries_of_the_queue_does_not_grow(
    path: str, queries: int, ask: Ask, approver: User, django_assert_num_queries: Any
) -> None:
    for number in range(20):
        one = ask(f"Vault-{number:02}")
        if number % 2:
            vault_requests.reject(one.pk, actor=as_actor(approver), comment="No", digest=one.digest)
    client = window(approver)
    with django_assert_num_queries(
        queries
    ):  # session, person, rows; those that ended have decisions; those that wait, policies and machines to be replaced
        poll(client, path, "request-table")


def test_the_queries_of_the_review(asked: VaultRequest, approver: User, django_assert_num_queries: Any) -> None:
    client = window(approver)
    # session, person, request, its decisions, the pair, who can decide, vaults, outcomes
    with django_assert_num_queries(9):
        poll(client, f"/requests/{asked.pk}/", "request-state")


def test_after_a_decision_the_next_request_is_offered(
    asked: VaultRequest, ask: Ask, approver: User, staff: User, decide: Decide
) -> None:
    ask("Later")
    waiting = VaultRequest.objects.get(name="Later")
    decide(approver, "approve")
    page = window(approver).get(f"/requests/{asked.pk}/")
    assert links(page, "next-request") == ["Next request"]
    assert f'id="next-request" href="/requests/{waiting.pk}/"' in page.content.decode()
    assert "next-request" not in window(staff).get(f"/requests/{asked.pk}/").content.decode()


def test_a_digest_has_one_short_form(asked: VaultRequest, approver: User, decide: Decide) -> None:
    decide(approver, "approve")
    short = f">{asked.digest[:8]}…{asked.digest[-4:]}<"
    assert window(approver).get(f"/requests/{asked.pk}/").content.decode().count(short) == 2
