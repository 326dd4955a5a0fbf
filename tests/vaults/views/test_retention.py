"""Retention on the tab Configure, and the page on which a weaker policy is decided."""

import html
import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from portal.accounts.models import Subscription, User
from tests.agents.factories import credential_of, machine_in
from tests.factories import as_actor, member_of
from tests.rows import now
from tests.vaults.pages import poll, text_of, window
from tests.vaults.retaining import agree, ask_weaker, days_ago, digest_of, policy, removed, seen
from vaults.models import RetentionChange, Vault
from vaults.retention_policy import changes
from vaults.retention_policy.policy import RetentionPolicy
from vaults.retention_policy.wording import LABELS

HTMX = {"HX-Request": "true"}


@pytest.fixture
def colleague(subscription: Subscription) -> User:
    return member_of(subscription)


@pytest.fixture
def url(vault: Vault) -> str:
    return f"/vaults/{vault.pk}/configure/retention/"


@pytest.fixture
def thinned(vault: Vault, staff: User) -> Vault:
    """A vault with a machine of which something would go with less than 25 days, and another that loses nothing."""
    credential = credential_of(vault, staff, machines=5)
    one, two = machine_in(vault, credential, "hr-db-02"), machine_in(vault, credential, "web-1")
    for day in (1, 21, 22, 23):
        seen(vault, one.pk, days_ago(day))
    seen(vault, two.pk, days_ago(1))
    return vault


def fields(vault: Vault, **numbers: int | None) -> dict[str, str]:
    """What the form sends for the vault's policy with other numbers; off is empty."""
    values = policy(vault, **numbers).values
    return {name: "" if value is None else str(value) for name, value in values.items()}


def hidden(page: Any, name: str) -> list[str]:
    """The values of the hidden fields of that name."""
    return re.findall(rf'name="{name}" value="([^"]*)"', page.content.decode())


def keeps(vault: Vault) -> RetentionPolicy:
    return RetentionPolicy.of(now(vault))


class TestAccess:
    @pytest.mark.parametrize(("who", "status"), [("outsider", 404), ("approver", 200), ("auditor", 200)])
    def test_onlookers_see_the_policy_without_a_form(
        self, request: pytest.FixtureRequest, vault: Vault, who: str, status: int
    ) -> None:
        page = window(request.getfixturevalue(who)).get(f"/vaults/{vault.pk}/configure/")
        assert page.status_code == status
        if status == 200:
            shown = text_of(page)
            assert "Keep everything within 30 days Keep weekly within off" in shown
            assert "Save retention" not in shown
            assert "Only members of Default can change it." in shown

    @pytest.mark.parametrize(("who", "status"), [("outsider", 404), ("approver", 403), ("auditor", 403)])
    def test_only_members_save(
        self, request: pytest.FixtureRequest, vault: Vault, url: str, who: str, status: int
    ) -> None:
        client = window(request.getfixturevalue(who))
        assert client.post(url, fields(vault, keep_within_days=60)).status_code == status
        assert keeps(vault) == RetentionPolicy()

    @pytest.mark.parametrize(("who", "status"), [("outsider", 404), ("approver", 200), ("staff", 200)])
    def test_the_preview_is_for_those_who_see_the_vault(
        self, request: pytest.FixtureRequest, thinned: Vault, url: str, who: str, status: int
    ) -> None:
        answer = window(request.getfixturevalue(who)).get(url, fields(thinned, keep_within_days=20), headers=HTMX)
        assert answer.status_code == status
        assert ("hr-db-02" in answer.content.decode()) is (status == 200)


class TestSaving:
    def test_the_labels_of_the_contract(self, vault: Vault, staff: User) -> None:
        page = window(staff).get(f"/vaults/{vault.pk}/configure/")
        shown = text_of(page)
        places = [shown.index(f"{label} ") for label in LABELS.values()]
        assert places == sorted(places)
        assert "Save retention" in shown

    def test_stronger_is_saved_at_once(self, vault: Vault, staff: User, url: str) -> None:
        client = window(staff)
        answer = client.post(url, fields(vault, keep_within_days=60, keep_yearly_within_years=5))
        assert answer.headers["Location"] == f"/vaults/{vault.pk}/configure/"
        assert (keeps(vault).keep_within_days, keeps(vault).keep_yearly_within_years) == (60, 5)
        assert "Saved. Machines follow the policy" in text_of(client.get(f"/vaults/{vault.pk}/configure/"))

    @pytest.mark.parametrize("reason", ["", "Too much."])
    def test_weaker_is_shown_before_anything_is_saved(self, thinned: Vault, staff: User, url: str, reason: str) -> None:
        client = window(staff)
        first = client.post(url, {**fields(thinned, keep_within_days=20), "reason": reason})
        assert first.status_code == 422
        shown = text_of(first)
        assert "This keeps less than now . Nothing was saved yet ." in shown.replace("now.", "now .").replace(
            "yet.", "yet ."
        )
        assert "Keep everything within: 20 days instead of 30 days" in shown
        assert "3 snapshots of 1 machine would go to the trash with their next retain; 2 would stay." in shown
        assert "hr-db-02 3 1" in shown
        assert "web-1" not in shown
        assert not RetentionChange.objects.exists()

    def test_the_second_time_it_becomes_a_request(self, thinned: Vault, staff: User, url: str) -> None:
        client = window(staff)
        sent = {**fields(thinned, keep_within_days=20), "reason": "Too much is kept."}
        first = client.post(url, sent)
        confirmed = hidden(first, "confirmed")[-1]
        answer = client.post(url, {**sent, "confirmed": confirmed, "expected": hidden(first, "expected")[-1]})
        asked = RetentionChange.objects.get()
        assert answer.headers["Location"] == f"/requests/{asked.pk}/"
        assert (asked.requested_by, asked.reason, keeps(thinned)) == (staff, "Too much is kept.", RetentionPolicy())

    def test_the_preview_of_other_numbers_confirms_nothing(self, thinned: Vault, staff: User, url: str) -> None:
        client = window(staff)
        other = client.get(url, fields(thinned, keep_within_days=25), headers=HTMX)
        sent = {**fields(thinned, keep_within_days=20), "reason": "x", "confirmed": hidden(other, "confirmed")[0]}
        assert client.post(url, sent).status_code == 422
        same = client.get(url, fields(thinned, keep_within_days=20), headers=HTMX)
        assert client.post(url, {**sent, "confirmed": hidden(same, "confirmed")[0]}).status_code == 302

    def test_without_a_reason_it_is_refused_at_the_field(self, thinned: Vault, staff: User, url: str) -> None:
        client = window(staff)
        sent = fields(thinned, keep_within_days=20)
        confirmed = hidden(client.post(url, sent), "confirmed")[-1]
        answer: Any = client.post(url, {**sent, "confirmed": confirmed})
        assert (answer.status_code, set(answer.context["retention"].errors)) == (422, {"reason"})
        assert changes.WHY_NEEDED in html.unescape(answer.content.decode())

    @pytest.mark.parametrize(
        ("wrong", "beside"),
        [
            ({"keep_within_days": "0"}, "keep_within_days"),
            ({"keep_within_days": ""}, "keep_within_days"),
            ({"keep_weekly_within_weeks": "x"}, "keep_weekly_within_weeks"),
            ({"keep_yearly_within_years": "51"}, "keep_yearly_within_years"),
            ({"soft_delete_days": "13"}, "soft_delete_days"),
            ({"minimum_retention_days": "20"}, "soft_delete_days"),
            ({"minimum_retention_days": "1e9"}, "minimum_retention_days"),
        ],
    )
    def test_what_is_wrong_is_said_at_its_field(
        self, vault: Vault, staff: User, url: str, wrong: dict[str, str], beside: str
    ) -> None:
        client = window(staff)
        answer: Any = client.post(url, {**fields(vault), **wrong})
        assert (answer.status_code, set(answer.context["retention"].errors)) == (422, {beside})
        assert keeps(vault) == RetentionPolicy()
        preview = client.get(url, {**fields(vault), **wrong}, headers=HTMX)
        assert text_of(preview) == "Correct the numbers to see what would go."

    def test_a_page_that_is_out_of_date_changes_nothing(self, vault: Vault, staff: User, url: str) -> None:
        client = window(staff)
        tag = hidden(client.get(f"/vaults/{vault.pk}/configure/"), "expected")[-1]
        changes.change(vault.pk, actor=as_actor(staff), policy=policy(vault, soft_delete_days=60))
        late = client.post(url, {**fields(vault, keep_within_days=60, soft_delete_days=61), "expected": tag})
        assert late.status_code == 409
        assert "Your page was out of date, so nothing was changed." in text_of(late)
        assert keeps(vault).soft_delete_days == 60

    def test_a_change_without_the_token_is_refused(self, vault: Vault, staff: User, url: str) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(staff)
        assert client.post(url, fields(vault, keep_within_days=60)).status_code == 403

    def test_the_address_of_the_form_leads_to_the_page(self, vault: Vault, staff: User, url: str) -> None:
        assert window(staff).get(url).headers["Location"] == f"/vaults/{vault.pk}/configure/"


class TestOpenRequest:
    def test_it_is_shown_with_who_can_decide(self, vault: Vault, staff: User, colleague: User, approver: User) -> None:
        asked = ask_weaker(staff, vault)
        path = f"/vaults/{vault.pk}/configure/"
        mine, theirs = text_of(window(staff).get(path)), text_of(window(colleague).get(path))
        assert "You have requested a weaker policy" in mine
        assert "approver or colleague can decide, until" in mine
        assert "View the request" in mine
        assert "staff has requested a weaker policy" in theirs
        assert "Review and decide" in theirs
        agree(approver, asked)
        assert "requested a weaker policy" not in text_of(window(staff).get(path))

    def test_another_request_is_refused(self, vault: Vault, staff: User, colleague: User, url: str) -> None:
        ask_weaker(staff, vault)
        client = window(colleague)
        sent = {**fields(vault, keep_within_days=15), "reason": "x"}
        confirmed = hidden(client.post(url, sent), "confirmed")[-1]
        answer = client.post(url, {**sent, "confirmed": confirmed})
        assert answer.status_code == 409
        assert "staff has already requested a weaker policy." in text_of(answer)


class TestDeciding:
    def sent(self, asked: RetentionChange, verdict: str, comment: str = "") -> dict[str, str]:
        return {"verdict": verdict, "comment": comment, "digest": digest_of(asked)}

    @pytest.mark.parametrize("verdict", ["approve", "reject"])
    @pytest.mark.parametrize(
        ("who", "status"),
        [("outsider", 404), ("auditor", 403), ("staff", 403), ("colleague", 302), ("approver", 302)],
    )
    def test_who_may(
        self, request: pytest.FixtureRequest, vault: Vault, staff: User, who: str, status: int, verdict: str
    ) -> None:
        asked = ask_weaker(staff, vault)
        client = window(request.getfixturevalue(who))
        answer = client.post(f"/requests/{asked.pk}/", self.sent(asked, verdict, "Because."))
        assert answer.status_code == status
        assert (now(asked).state == "pending") is (status != 302)
        assert (keeps(vault).keep_within_days == 20) is (status == 302 and verdict == "approve")

    def test_what_will_happen_is_told_in_figures(self, thinned: Vault, staff: User, colleague: User) -> None:
        Vault.objects.update(soft_delete_days=30)
        thinned.refresh_from_db()
        machine = thinned.machines.get(name="web-1")
        removed(seen(thinned, machine.pk, days_ago(90), kind="data"), days_ago(20))
        asked = ask_weaker(
            staff,
            thinned,
            keep_within_days=20,
            soft_delete_days=15,
            minimum_retention_days=7,
            keep_yearly_within_years=2,
        )
        shown = text_of(window(colleague).get(f"/requests/{asked.pk}/"))
        for told in (
            "Keep everything within 20 days instead of 30 days Keep yearly within 2 years instead of off",
            "Machines may delete what was first seen more than 7 days ago, until now 14 days.",
            "1 object in the trash is over its time then, and purged for good with the next round.",
            "For 15 days after each deletion It can be undone",
            "purged for good in both regions, once a check of the machine that began after the deletion has missed",
            "Approve Reject",
        ):
            assert told in shown, told

    def test_who_asked_waits_and_takes_it_back(self, vault: Vault, staff: User, approver: User) -> None:
        asked = ask_weaker(staff, vault)
        client = window(staff)
        shown = text_of(client.get(f"/requests/{asked.pk}/"))
        assert "You requested this" in shown
        assert "approver can decide, until" in shown
        assert client.post(f"/requests/{asked.pk}/", self.sent(asked, "cancel")).status_code == 302
        ended = text_of(client.get(f"/requests/{asked.pk}/"))
        assert "Cancelled by the requester." in ended
        assert "What will happen" not in ended

    def test_a_no_takes_a_comment(self, vault: Vault, staff: User, approver: User) -> None:
        asked = ask_weaker(staff, vault)
        answer = window(approver).post(f"/requests/{asked.pk}/", self.sent(asked, "reject"))
        assert answer.status_code == 422
        assert "Give a reason, so that the requester can act on it." in text_of(answer)

    def test_one_that_is_out_of_date_says_so(self, vault: Vault, staff: User, approver: User) -> None:
        asked = ask_weaker(staff, vault)
        changes.change(vault.pk, actor=as_actor(staff), policy=policy(vault, soft_delete_days=60))
        client = window(approver)
        assert "The policy has changed since this was requested." in text_of(client.get(f"/requests/{asked.pk}/"))
        answer = client.post(f"/requests/{asked.pk}/", self.sent(asked, "approve"))
        assert answer.status_code == 409
        assert "has changed since this was requested." in text_of(answer)

    def test_the_state_is_live_until_it_has_ended(self, vault: Vault, staff: User, approver: User) -> None:
        asked = ask_weaker(staff, vault)
        client, headers = window(staff), {"HX-Request": "true", "HX-Target": "request-state"}
        assert client.get(f"/requests/{asked.pk}/", headers=headers).status_code == 200
        agree(approver, asked)
        ended = client.get(f"/requests/{asked.pk}/", headers=headers)
        assert ended.status_code == 286
        assert "approver approved just now" in text_of(ended)
        assert "The policy is stored." in text_of(ended)


def test_the_queries_of_the_pages_do_not_grow(
    thinned: Vault,
    staff: User,
    approver: User,
    url: str,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    credential = credential_of(thinned, staff, machines=100)
    for number in range(30):
        machine = machine_in(thinned, credential, f"m{number:02}")
        for day in (21, 22, 23):
            seen(thinned, machine.pk, days_ago(day))
    asked = ask_weaker(staff, thinned)
    client = window(staff)
    with django_assert_num_queries(6):  # session, person, vault; names, removed, seen
        client.get(url, fields(thinned, keep_within_days=20), headers=HTMX)
    decider, path = window(approver), f"/requests/{asked.pk}/"
    # session, person, no request for a vault, the request, its decisions, who can decide
    with django_assert_num_queries(6):
        poll(decider, path, "request-state")
    with django_assert_max_num_queries(19):  # and names, removed, seen, in the trash, deciders, and the frame
        decider.get(path)
