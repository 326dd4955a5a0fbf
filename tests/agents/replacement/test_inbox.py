"""Machines to be replaced on the page Requests, and in its number in the navigation: who sees and decides them."""

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from agents.models import ReplacementRequest
from agents.replacement import replacements
from portal.accounts.models import Subscription, User
from portal.web.navigation import waiting_for
from tests.agents.factories import credential_of, machine_in
from tests.agents.replacing import agree, ask, digest_of
from tests.factories import as_actor, member_of
from tests.vaults.pages import links, poll, text_of, window
from vaults.models import Vault
from vaults.requests import vault_requests

HEADING = "Machines to be replaced"


@pytest.fixture
def asked(staff: User, vault: Vault) -> ReplacementRequest:
    return ask(staff, machine_in(vault, credential_of(vault, staff)).pk)


@pytest.fixture
def colleague(subscription: Subscription) -> User:
    return member_of(subscription)


def number(client: Client) -> str:
    """What the navigation says beside Requests."""
    found = re.search(r'<span class="count">(\d+)', client.get("/requests/").content.decode())
    return found[1] if found else ""


@pytest.mark.parametrize(
    ("who", "listed", "counted"),
    [
        ("colleague", True, "1"),
        ("approver", True, "1"),
        ("staff", True, ""),
        ("auditor", True, ""),
        ("outsider", False, ""),
    ],
)
def test_who_sees_and_who_decides(
    request: pytest.FixtureRequest, asked: ReplacementRequest, who: str, listed: bool, counted: str
) -> None:
    client = window(request.getfixturevalue(who))
    page = client.get("/requests/")
    assert links(page, "waiting-") == (["hr-db-02"] if listed else [])
    assert (HEADING in text_of(page), "hr-db-02" in page.content.decode()) == (listed, listed)
    assert number(client) == counted


def test_an_auditor_who_is_a_member_decides_too(asked: ReplacementRequest, colleague: User) -> None:
    colleague.is_auditor = True
    colleague.save()
    assert number(window(colleague)) == "1"


def test_it_says_what_is_asked_and_leads_to_the_decision(
    asked: ReplacementRequest, staff: User, colleague: User
) -> None:
    shown = text_of(window(staff).get("/requests/"))
    assert "hr-db-02 Default · Payroll staff (you) " in shown
    assert "No pending requests" not in shown
    page = window(colleague).get("/requests/").content.decode()
    assert f'href="/machines/{asked.machine_id}/replacement/"' in page


def test_what_was_decided_waits_no_more(asked: ReplacementRequest, approver: User, colleague: User) -> None:
    client = window(colleague)
    before = poll(client, "/requests/", "request-table")
    assert poll(client, "/requests/", "request-table", before["ETag"]).status_code == 304
    agree(approver, asked)
    after = poll(client, "/requests/", "request-table", before["ETag"])
    assert (after.status_code, HEADING in text_of(after)) == (200, False)
    assert number(client) == ""


def test_it_is_no_part_of_what_ended(asked: ReplacementRequest, approver: User) -> None:
    replacements.reject(asked.pk, actor=as_actor(approver), comment="No.", digest=digest_of(asked))
    client = window(approver)
    assert HEADING not in text_of(client.get("/requests/?state=rejected"))


def test_the_number_counts_requests_for_vaults_too(
    asked: ReplacementRequest, vault: Vault, staff: User, approver: User, colleague: User
) -> None:
    wanted = {"name": "Finance-Q4", "redundancy": "local", "reason": "Quarter-end close"}
    vault_requests.submit(actor=as_actor(staff), subscription=vault.subscription, region=vault.region, **wanted)
    assert [waiting_for("requests", person) for person in (approver, colleague)] == ["2", "1"]
    shown = text_of(window(approver).get("/requests/"))
    assert shown.index(HEADING) < shown.index("Vaults 1 request Name Status") < shown.index("Finance-Q4")


def test_it_is_bounded_and_its_queries_do_not_grow(
    vault: Vault, staff: User, colleague: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    credential, client = credential_of(vault, staff), window(colleague)
    names = [f"node-{number:02}" for number in range(21)]
    for name in names:
        ask(staff, machine_in(vault, credential, name).pk)
    with django_assert_num_queries(5):  # session, person, rows, policies, machines
        page = poll(client, "/requests/", "request-table")
    assert links(page, "waiting-") == names[:20]
    assert "There are more: they appear here as these are decided." in text_of(page)
    assert number(client) == "21"
