"""Recovery Services: what it lists, filters, pages, and how it stays live."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal.accounts.models import Membership, Subscription, User
from tests.vaults.conftest import Ask
from tests.vaults.pages import links, poll, text_of, window
from vaults.models import Operation, Vault

MakeVault = Callable[..., Vault]
Queries = Any


def names(user: User, query: str = "") -> list[str]:
    return links(window(user).get(f"/vaults/{query}"), "open-")


def retries(response: Any) -> list[tuple[str, str]]:
    """The vaults that can be tried again, and where that is sent."""
    pattern = r'<button[^>]* id="retry-([^"]*)" form="retry" formaction="([^"]*)"'
    return re.findall(pattern, response.content.decode())


def test_a_person_without_vaults_is_told_what_to_do(staff: User) -> None:
    response = window(staff).get("/vaults/")
    assert "No vaults yet" in text_of(response)
    assert links(response, "open-") == []


def test_members_see_their_subscriptions_and_those_who_see_all_see_all(
    make_vault: MakeVault, staff: User, outsider: User, approver: User
) -> None:
    make_vault("Payroll")
    make_vault("Archive", subscription=Subscription.objects.get(name="Elsewhere"))
    assert names(staff) == ["Payroll"]
    assert names(outsider) == ["Archive"]
    assert names(approver) == ["Archive", "Payroll"]


def test_a_row_says_all_that_the_contract_has(make_vault: MakeVault, staff: User) -> None:
    now = timezone.now()
    make_vault(
        machines=3, redundancy_locked_at=now, redundancy_locked_by="hr-db-02", last_backup_at=now - timedelta(hours=7)
    )
    text = text_of(window(staff).get("/vaults/"))
    assert "Payroll Active Local A Default Geo-redundant , locked 3 7 hours ago" in text


def test_a_failed_vault_says_why_and_is_tried_again_from_its_row(
    creating: Callable[..., Operation], make_vault: MakeVault, staff: User
) -> None:
    failed, client = creating().vault, window(staff)
    make_vault("Whole")
    Operation.objects.update(state="failed", due_at=None)
    Vault.objects.filter(pk=failed.pk).update(state="Failed", state_reason="Local A <is> full.")
    page = client.get("/vaults/")
    assert "Payroll Failed Retry Local A &lt;is&gt; full. Local A Default" in text_of(page)
    assert retries(page) == [(str(failed.pk), f"/vaults/{failed.pk}/retry/")]
    assert page.content.count(b'<form id="retry" method="post"') == 1
    response = client.post(f"/vaults/{failed.pk}/retry/")
    assert response["Location"] == f"/vaults/{failed.pk}/"
    assert retries(client.get("/vaults/")) == []


def test_only_members_are_offered_to_try_again(
    make_vault: MakeVault, approver: User, subscription: Subscription, outsider: User
) -> None:
    ours = make_vault(state="Failed", state_reason="No.")
    make_vault("Other", subscription=Subscription.objects.get(name="Elsewhere"), state="Failed", state_reason="No.")
    page = window(approver).get("/vaults/")
    assert "Payroll Failed No. Local A" in text_of(page)
    assert retries(page) == []
    Membership.objects.create(user=approver, subscription=subscription)
    assert retries(window(approver).get("/vaults/")) == [(str(ours.pk), f"/vaults/{ours.pk}/retry/")]


def test_open_requests_stand_above_the_table(ask: Ask, make_vault: MakeVault, staff: User, outsider: User) -> None:
    ask("Finance-Q4")
    make_vault("Payroll")
    response = window(staff).get("/vaults/")
    assert links(response, "asked-") == ["Finance-Q4"]
    assert links(response, "open-") == ["Payroll"]
    assert links(window(outsider).get("/vaults/"), "asked-") == []
    assert links(window(staff).get("/vaults/?show=active"), "asked-") == []


@pytest.fixture
def various(make_vault: MakeVault, regions: Any) -> None:
    old = timezone.now() - timedelta(days=9)
    make_vault("Alpha")
    make_vault("Beta", state="Creating", region=regions[1])
    make_vault("Gamma", state="Failed")
    make_vault("Delta", machines=1, last_backup_at=old)
    make_vault("Gone", state="Removed")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Alpha", "Beta", "Delta", "Gamma"]),
        ("?show=active", ["Alpha", "Delta"]),
        ("?show=creating", ["Beta"]),
        ("?show=attention", ["Delta", "Gamma"]),
        ("?show=removed", ["Gone"]),
        ("?show=nonsense&region=x&subscription=-1", ["Alpha", "Beta", "Delta", "Gamma"]),
        ("?q=ALP", ["Alpha"]),
        ("?q=%00", ["Alpha", "Beta", "Delta", "Gamma"]),
        ("?subscription=999999999", []),
    ],
)
def test_filters(query: str, expected: list[str], various: None, staff: User) -> None:
    assert names(staff, query) == expected


def test_the_region_filter(various: None, staff: User, regions: Any) -> None:
    assert names(staff, f"?region={regions[1].pk}") == ["Beta"]


def test_a_filter_that_nothing_matches_says_so(various: None, staff: User) -> None:
    assert "No vault matches" in text_of(window(staff).get("/vaults/?q=zzz"))


def test_pages_go_on_after_the_last_row_whatever_comes_between(make_vault: MakeVault, staff: User) -> None:
    for number in range(60):
        make_vault(f"Vault-{number:02}")
    client = window(staff)
    first = client.get("/vaults/")
    assert links(first, "open-") == [f"Vault-{number:02}" for number in range(50)]
    make_vault("Vault-00a")
    rest = client.get("/vaults/", {"after": first.context["page"].next})
    assert links(rest, "open-") == [f"Vault-{number:02}" for number in range(50, 60)]
    assert rest.context["page"].next is None


def test_a_cursor_that_is_not_ours_is_refused(staff: User) -> None:
    assert window(staff).get("/vaults/?after=WyJhIl0:junk").status_code == 422


@pytest.mark.parametrize(("state", "seconds"), [("Creating", "1"), ("Active", "30")])
def test_the_part_comes_back_quickly_while_something_is_under_way(
    state: str, seconds: str, make_vault: MakeVault, staff: User
) -> None:
    make_vault(state=state)
    part = poll(window(staff), "/vaults/", "vault-table")
    assert f'hx-trigger="every {seconds}s' in part.content.decode()
    assert b"<h1" not in part.content


def test_nothing_is_sent_again_until_something_changes(vault: Vault, staff: User) -> None:
    client = window(staff)
    first = poll(client, "/vaults/", "vault-table")
    again = poll(client, "/vaults/", "vault-table", first["ETag"])
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    Vault.objects.filter(pk=vault.pk).update(state="Failed")
    changed = poll(client, "/vaults/", "vault-table", first["ETag"])
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_htmx_that_aims_elsewhere_gets_the_whole_page(vault: Vault, staff: User) -> None:
    response = poll(window(staff), "/vaults/", "content")
    assert b"<h1" in response.content
    assert "HX-Target" in response["Vary"]


def test_the_number_of_queries_does_not_grow_with_the_rows(
    make_vault: MakeVault, staff: User, approver: User, django_assert_num_queries: Queries
) -> None:
    client = window(staff)
    for number in range(30):
        make_vault(f"Vault-{number:02}", state="Creating")
    # session, person, how many vaults are theirs, rows, open requests
    with django_assert_num_queries(5):
        poll(client, "/vaults/", "vault-table")
    Vault.objects.update(state="Failed", state_reason="Local A is full.")
    with django_assert_num_queries(5):
        poll(client, "/vaults/", "vault-table")
    # session, person, rows, which of the failed ones are theirs, open requests
    client = window(approver)
    with django_assert_num_queries(5):
        poll(client, "/vaults/", "vault-table")
