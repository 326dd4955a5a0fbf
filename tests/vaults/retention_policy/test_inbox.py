"""Weaker policies on the page Requests, and in its number in the navigation: who sees and decides them."""

import pytest
from pytest_django import DjangoAssertNumQueries

from portal.accounts.models import Subscription, User
from portal.web.navigation import waiting_for
from tests.factories import member_of, vault_in
from tests.vaults.pages import links, poll, text_of, window
from tests.vaults.retaining import agree, ask_weaker
from vaults.models import RetentionChange, Vault

HEADING = "Retention policies to be weakened"


@pytest.fixture
def asked(staff: User, vault: Vault) -> RetentionChange:
    return ask_weaker(staff, vault)


@pytest.fixture
def colleague(subscription: Subscription) -> User:
    return member_of(subscription)


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
    request: pytest.FixtureRequest, asked: RetentionChange, who: str, listed: bool, counted: str
) -> None:
    person = request.getfixturevalue(who)
    page = window(person).get("/requests/")
    assert links(page, "waiting-") == (["Payroll"] if listed else [])
    assert (HEADING in text_of(page)) is listed
    assert waiting_for("requests", person) == counted
    assert (f'href="/requests/{asked.pk}/"' in page.content.decode()) is listed


def test_what_was_decided_waits_no_more(asked: RetentionChange, approver: User, colleague: User) -> None:
    agree(approver, asked)
    assert HEADING not in text_of(window(colleague).get("/requests/"))
    assert waiting_for("requests", colleague) == ""


def test_it_is_bounded_and_its_queries_do_not_grow(
    vault: Vault, staff: User, colleague: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    names = [f"Vault-{number:02}" for number in range(21)]
    for name in names:
        ask_weaker(staff, vault_in(vault.subscription, vault.region, name))
    client = window(colleague)
    with django_assert_num_queries(5):  # session, person, rows, machines, policies
        page = poll(client, "/requests/", "request-table")
    assert links(page, "waiting-") == names[:20]
    assert "There are more: they appear here as these are decided." in text_of(page)
    assert waiting_for("requests", colleague) == "21"
