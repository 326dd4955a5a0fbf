"""The JSON API of requests: the contract's shapes, codes and rights."""

from typing import Any

import pytest
from django.test import Client

from portal.accounts.models import Subscription, User
from tests.factories import person
from tests.vaults.factories import Ask
from tests.vaults.pages import ASKED, call, refused, window
from vaults.models import Region, Vault, VaultRequest

FIELDS = {
    *("id", "state", "subscription", "name", "region", "redundancy", "reason"),
    *("requested_by", "requested_at", "digest", "vault_id", "decisions"),
}
Regions = tuple[Region, Region]


def test_asking_for_a_vault(staff: User, regions: Regions) -> None:
    response = call(window(staff), "POST", "vault-requests", ASKED)
    made = response.json()
    assert response.status_code == 201
    assert set(made) == FIELDS
    assert {key: made[key] for key in ASKED} == ASKED
    assert (made["state"], made["requested_by"], made["vault_id"], made["decisions"]) == ("pending", "staff", None, [])
    assert made["digest"] == VaultRequest.objects.get().digest


def test_names_of_subscription_and_region_are_found_whatever_their_case(staff: User, regions: Regions) -> None:
    body = {**ASKED, "subscription": "default", "region": "LOCAL a"}
    assert call(window(staff), "POST", "vault-requests", body).status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(field, None) for field in ASKED],
        *[(field, 7) for field in ASKED],
        *[(field, ["x"]) for field in ASKED],
        *[(field, "\0") for field in ASKED],
        *[(field, "x" * 5000) for field in ASKED],
        ("name", "x"),
        ("name", "9lives"),
        ("name", "\ud800\ud800"),
        ("redundancy", "Geo-redundant"),
        ("region", "Nowhere"),
        ("subscription", "Nowhere"),
        ("reason", "  "),
        ("colour", "red"),
    ],
)
def test_each_field_is_refused_with_a_message_of_its_own(
    field: str, value: object, staff: User, regions: Regions
) -> None:
    problem = refused(call(window(staff), "POST", "vault-requests", {**ASKED, field: value}), 422, "invalid")
    assert list(problem["errors"]) == [field]
    assert all(isinstance(message, str) and message for message in problem["errors"][field])
    assert VaultRequest.objects.count() == 0


@pytest.mark.parametrize("field", ASKED)
def test_no_field_may_be_missing(field: str, staff: User, regions: Regions) -> None:
    body = {key: value for key, value in ASKED.items() if key != field}
    problem = refused(call(window(staff), "POST", "vault-requests", body), 422, "invalid")
    assert problem["errors"] == {field: ["Field required"]}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'"x"', b"{} {}", b"[" * 2000])
def test_bodies_that_are_no_object_are_refused(body: bytes, staff: User, regions: Regions) -> None:
    response = window(staff).generic("POST", "/api/v1/vault-requests", body, content_type="application/json")
    refused(response, 422, "invalid")


def test_another_subscription_looks_as_if_it_were_not_there(staff: User, outsider: User, regions: Regions) -> None:
    answers = [
        refused(call(window(staff), "POST", "vault-requests", {**ASKED, "subscription": name}), 422, "invalid")
        for name in ("Elsewhere", "Nowhere")
    ]
    assert answers[0] == answers[1]


def test_who_sees_a_subscription_but_does_not_belong_to_it_may_not_ask(approver: User, staff: User, ask: Ask) -> None:
    refused(call(window(approver), "POST", "vault-requests", ASKED), 403, "not_allowed")


def test_a_closed_region_is_refused(staff: User, regions: Regions) -> None:
    Region.objects.filter(name="Local A").update(enabled=False)
    problem = refused(call(window(staff), "POST", "vault-requests", ASKED), 422, "invalid")
    there_are = "Unknown or closed region. Available: Local B."
    assert problem["errors"] == {"region": [there_are]}


def test_a_name_that_is_taken(staff: User, ask: Ask) -> None:
    ask("PAYROLL")
    refused(call(window(staff), "POST", "vault-requests", ASKED), 409, "name_taken")


def test_the_same_again_is_the_same_request(staff: User, regions: Regions) -> None:
    answers = [call(window(staff), "POST", "vault-requests", ASKED) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


def test_approving(ask: Ask, approver: User) -> None:
    asked = ask()
    response = call(
        window(approver),
        "POST",
        f"vault-requests/{asked.pk}/approve",
        {"comment": "Agreed.", "digest": asked.digest},
    )
    done = response.json()
    assert response.status_code == 200
    assert (done["state"], done["vault_id"]) == ("approved", str(Vault.objects.get().pk))
    [decision] = done["decisions"]
    assert (decision["verdict"], decision["by"], decision["comment"]) == ("approved", "approver", "Agreed.")
    assert decision["digest"] == asked.digest


@pytest.mark.parametrize(
    ("who", "what", "status", "code"),
    [
        ("outsider", "approve", 404, "not_found"),
        ("outsider", "reject", 404, "not_found"),
        ("outsider", "cancel", 404, "not_found"),
        ("staff", "approve", 403, "not_allowed"),
        ("staff", "reject", 403, "not_allowed"),
        ("auditor", "approve", 403, "not_allowed"),
        ("auditor", "cancel", 403, "not_allowed"),
        ("approver", "cancel", 403, "not_allowed"),
    ],
)
def test_who_may_not_decide(
    who: str, what: str, status: int, code: str, ask: Ask, request: pytest.FixtureRequest
) -> None:
    asked = ask()
    client = window(request.getfixturevalue(who))
    body = {"comment": "Because", "digest": asked.digest}
    refused(call(client, "POST", f"vault-requests/{asked.pk}/{what}", body), status, code)
    asked.refresh_from_db()
    assert asked.state == "pending"


def test_ones_own_request(ask: Ask, staff: User) -> None:
    asked = ask()
    User.objects.filter(pk=staff.pk).update(is_approver=True)
    body = {"comment": "", "digest": asked.digest}
    refused(call(window(staff), "POST", f"vault-requests/{asked.pk}/approve", body), 403, "own_request")


def test_deciding_twice(ask: Ask, approver: User) -> None:
    asked, second = ask(), person("second", is_approver=True)
    body = {"comment": "No", "digest": asked.digest}
    assert call(window(approver), "POST", f"vault-requests/{asked.pk}/approve", body).status_code == 200
    refused(call(window(second), "POST", f"vault-requests/{asked.pk}/reject", body), 409, "stale_state")


def test_a_digest_of_other_content(ask: Ask, approver: User) -> None:
    path = f"vault-requests/{ask().pk}/approve"
    refused(call(window(approver), "POST", path, {"comment": "", "digest": "0" * 64}), 409, "content_changed")


def test_rejecting_without_a_comment(ask: Ask, approver: User) -> None:
    asked = ask()
    path = f"vault-requests/{asked.pk}/reject"
    problem = refused(call(window(approver), "POST", path, {"digest": asked.digest}), 422, "invalid")
    assert list(problem["errors"]) == ["comment"]


@pytest.mark.parametrize("who", ["staff", "approver", "auditor"])
def test_reading(who: str, ask: Ask, request: pytest.FixtureRequest) -> None:
    asked = ask()
    client = window(request.getfixturevalue(who))
    one = call(client, "GET", f"vault-requests/{asked.pk}").json()
    assert (one["id"], one["name"]) == (str(asked.pk), "Payroll")
    assert call(client, "GET", "vault-requests").json() == {"items": [one], "next": None}


def test_an_outsider_reads_nothing(ask: Ask, outsider: User) -> None:
    asked = ask()
    refused(call(window(outsider), "GET", f"vault-requests/{asked.pk}"), 404, "not_found")
    assert call(window(outsider), "GET", "vault-requests").json() == {"items": [], "next": None}


def test_the_list_goes_on_where_it_stopped(ask: Ask, staff: User) -> None:
    for number in range(5):
        ask(f"Vault-{number}")
    client, names, after = window(staff), [], ""
    while after is not None:
        page = call(client, "GET", f"vault-requests?limit=2&after={after}").json()
        names += [one["name"] for one in page["items"]]
        after = page["next"]
    assert names == [f"Vault-{number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("query", "field"), [("limit=0", "limit"), ("limit=501", "limit"), ("limit=x", "limit"), ("after=x", "after")]
)
def test_a_window_that_cannot_be(query: str, field: str, staff: User) -> None:
    problem = refused(call(window(staff), "GET", f"vault-requests?{query}"), 422, "invalid")
    assert list(problem["errors"]) == [field]


def test_the_queries_of_the_list_do_not_grow(ask: Ask, approver: User, django_assert_num_queries: Any) -> None:
    for number in range(20):
        ask(f"Vault-{number:02}")
    client = window(approver)
    with django_assert_num_queries(4):  # session, person, rows, decisions
        assert len(call(client, "GET", "vault-requests").json()["items"]) == 20


def test_strangers_get_a_problem_document_not_a_page(subscription: Subscription) -> None:
    response = call(Client(), "GET", "vault-requests")
    refused(response, 401, "not_signed_in")
    assert response["WWW-Authenticate"] == "Bearer"
    refused(call(Client(enforce_csrf_checks=True), "POST", "vault-requests", ASKED), 401, "not_signed_in")
