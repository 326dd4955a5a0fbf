"""Recovery Services: what it lists, filters, pages, and how it stays live."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from portal.accounts.models import Membership, Subscription, User
from tests.vaults.factories import Ask
from tests.vaults.pages import links, poll, text_of, window
from vaults import operations
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
        machine_count=3,
        redundancy_locked_at=now,
        redundancy_locked_by="hr-db-02",
        last_backup_at=now - timedelta(hours=7),
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
    other = client.post(f"/vaults/{failed.pk}/retry/", {"expected": "0" * 16})
    assert other.status_code == 409
    assert Vault.objects.get(pk=failed.pk).state == "Failed"
    carried = re.search(r'id="retry-[^>]* name="expected" value="([0-9a-f]{16})"', page.content.decode())
    assert carried
    response = client.post(f"/vaults/{failed.pk}/retry/", {"expected": carried[1]})
    assert response["Location"] == f"/vaults/{failed.pk}/"
    assert retries(client.get("/vaults/")) == []


def test_only_members_are_offered_to_try_again(
    make_vault: MakeVault, approver: User, subscription: Subscription, outsider: User
) -> None:
    ours = make_vault(state="Failed", state_reason="No.")
    elsewhere = Subscription.objects.get(name="Elsewhere")
    theirs = make_vault("Other", subscription=elsewhere, state="Failed", state_reason="No.")
    for vault in (ours, theirs):
        operations.start(vault, Operation.Kind.CREATE)
    Operation.objects.update(state="failed", due_at=None)
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
    make_vault("Delta", machine_count=1, last_backup_at=old)
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
    assert "No vaults match the filters" in text_of(window(staff).get("/vaults/?q=zzz"))


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


MIXED = ["Lab", "archive", "Web-2", "web-10", "Archive-B", "fileserver", "database", "a-b", "ab", "B"]
BY_NAME = ["a-b", "ab", "archive", "Archive-B", "B", "database", "fileserver", "Lab", "web-10", "Web-2"]


def test_names_are_in_one_order_whatever_their_case_and_the_database(make_vault: MakeVault, staff: User) -> None:
    for name in MIXED:
        make_vault(name)
    assert names(staff) == BY_NAME
    assert names(staff, "?sort=-name") == BY_NAME[::-1]
    api = window(staff).get("/api/v1/vaults").json()["items"]
    assert [one["name"] for one in api] == BY_NAME


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("status", ["b", "d", "a", "c"]),
        ("-status", ["c", "a", "d", "b"]),
        ("machines", ["a", "d", "c", "b"]),
        ("-machines", ["b", "c", "d", "a"]),
        ("backup", ["c", "a", "b", "d"]),
        ("-backup", ["d", "b", "a", "c"]),
        ("nonsense", ["a", "b", "c", "d"]),
    ],
)
def test_each_sorting_is_a_walk_through_all_of_them(
    sort: str, expected: list[str], make_vault: MakeVault, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    make_vault("a", state="Failed", machine_count=0, last_backup_at=now - timedelta(hours=3))
    make_vault("b", state="Active", machine_count=7, last_backup_at=now - timedelta(hours=2))
    make_vault("c", state="Failed", machine_count=3)
    make_vault("d", state="Creating", machine_count=1, last_backup_at=now - timedelta(hours=1))
    assert names(staff, f"?sort={sort}") == expected
    monkeypatch.setattr("vaults.filters.VaultFilter.page.__defaults__", (None, "", 1))  # one row on a page
    client, after, walked, pages = window(staff), "", [], []
    while after is not None:
        response = client.get("/vaults/", {"sort": sort, "after": after})
        walked += links(response, "open-")
        pages.append(response.context["page"])
        after = pages[-1].next
    assert walked == expected
    back = client.get("/vaults/", {"sort": sort, "after": pages[-1].previous})
    assert links(back, "open-") == expected[-2:-1]


def test_heads_are_links_that_say_how_the_list_is_sorted(make_vault: MakeVault, staff: User) -> None:
    make_vault()
    page = window(staff).get("/vaults/?sort=machines&show=active&after=").content.decode()
    heads = re.findall(
        r'<th scope="col" class="sort [a-z]*"( aria-sort="[a-z]+")?><a id="sort-(\w+)" href="([^"]+)"', page
    )
    assert [(aria.strip(), word) for aria, word, _ in heads] == [
        ("", "name"),
        ("", "status"),
        ('aria-sort="ascending"', "machines"),
        ("", "backup"),
    ]
    assert [href for _, _, href in heads] == [
        "?sort=name&amp;show=active",
        "?sort=status&amp;show=active",
        "?sort=-machines&amp;show=active",
        "?sort=backup&amp;show=active",
    ]


def test_the_list_says_how_many_there_are(make_vault: MakeVault, staff: User, monkeypatch: pytest.MonkeyPatch) -> None:
    make_vault()
    assert "1 vault Name" in text_of(window(staff).get("/vaults/"))
    for number in range(59):
        make_vault(f"Vault-{number}")
    assert "60 vaults Name" in text_of(window(staff).get("/vaults/"))
    assert "60 vaults match the filters" in text_of(window(staff).get("/vaults/?show=active"))
    monkeypatch.setattr("portal.core.paging.COUNTED", 59)
    assert "59+ vaults Name" in text_of(window(staff).get("/vaults/"))


def test_the_page_before_is_linked(make_vault: MakeVault, staff: User) -> None:
    for number in range(120):
        make_vault(f"Vault-{number:03}")
    client = window(staff)
    second = client.get("/vaults/", {"after": client.get("/vaults/").context["page"].next})
    third = client.get("/vaults/", {"after": second.context["page"].next})
    assert "Previous page" not in text_of(client.get("/vaults/"))
    assert "First page Previous page Next page" in text_of(second)
    back = client.get("/vaults/", {"after": third.context["page"].previous})
    assert links(back, "open-") == [f"Vault-{number:03}" for number in range(50, 100)]


def test_long_names_have_their_whole_text_at_hand(make_vault: MakeVault, staff: User) -> None:
    name = "A" + "very-long-name-" * 3 + "end"
    make_vault(name)
    assert f'title="{name}">{name}</a>' in window(staff).get("/vaults/").content.decode()


def test_an_empty_list_has_one_primary_action_for_those_who_may(staff: User, approver: User, outsider: User) -> None:
    page = window(staff).get("/vaults/").content.decode()
    assert re.findall(r'<a class="button primary" href="[^"]+">(?:<svg.*?</svg>)?([^<]+)', page) == ["Request a vault"]
    Membership.objects.filter(user=outsider).delete()
    for user, words in (
        (approver, "Vaults of all subscriptions"),
        (outsider, "You are not a member of any subscription"),
    ):
        shown = text_of(window(user).get("/vaults/"))
        assert (words in shown, "Request a vault" in shown) == (True, False)


def test_what_waits_is_one_line_with_its_number(ask: Ask, staff: User) -> None:
    ask("Finance-Q4")
    assert "1 request waiting for approval Finance-Q4" in text_of(window(staff).get("/vaults/"))
    for number in range(5):
        ask(f"More-{number}")
    page = window(staff).get("/vaults/")
    assert "6 requests waiting for approval" in text_of(page)
    assert links(page, "asked-") == ["Finance-Q4", "More-0", "More-1", "More-2"]
    assert "View all pending" in text_of(page)


def test_there_is_one_place_to_choose_a_subscription(make_vault: MakeVault, staff: User) -> None:
    make_vault()
    page = window(staff).get("/vaults/").content.decode()
    menu = page[page.index('id="subscriptions"') :].partition("</div>")[0]
    assert re.findall(r'<a href="([^"]+)"( aria-current="true")?>([^<]+)', menu) == [
        ("/vaults/", ' aria-current="true"', "Default")
    ]
    assert '<select id="filter-subscription"' not in page


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
    # one more, however many failed: the work that can be done again
    with django_assert_num_queries(6):
        poll(client, "/vaults/", "vault-table")
    # session, person, rows, the work on their failed ones, open requests
    client = window(approver)
    with django_assert_num_queries(5):
        poll(client, "/vaults/", "vault-table")
