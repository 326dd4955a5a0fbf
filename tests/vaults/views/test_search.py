"""Search: by a part of the name, in what the person may see, whatever the kind."""

from collections.abc import Callable
from typing import Any

from django.db import connection

from portal.accounts.models import Subscription, User
from tests.vaults.factories import Ask
from tests.vaults.pages import text_of, window
from vaults.models import Vault


def found(user: User, text: str) -> dict[str, list[str]]:
    response: Any = window(user).get("/search/", {"q": text})
    assert response.status_code == 200
    return {group.kind: [hit.title for hit in group.hits] for group in response.context["found"]}


def test_nothing_is_searched_without_a_text(vault: Vault, staff: User) -> None:
    assert found(staff, "  ") == {}
    assert "No results for" not in text_of(window(staff).get("/search/"))


def test_vaults_and_requests_are_found_by_a_part_of_their_name(
    make_vault: Callable[..., Vault], ask: Ask, staff: User
) -> None:
    make_vault("Payroll")
    make_vault("Archive")
    ask("Payback")
    assert found(staff, "pay") == {"Vaults": ["Payroll"], "Requests": ["Payback"]}


def test_what_one_may_not_see_is_not_found(
    make_vault: Callable[..., Vault], ask: Ask, staff: User, outsider: User, auditor: User
) -> None:
    make_vault("Payroll")
    ask("Payback")
    make_vault("Pay-elsewhere", subscription=Subscription.objects.get(name="Elsewhere"))
    assert found(outsider, "pay") == {"Vaults": ["Pay-elsewhere"]}
    assert found(auditor, "pay") == {"Vaults": ["Pay-elsewhere", "Payroll"], "Requests": ["Payback"]}


def test_odd_texts_find_nothing_and_break_nothing(vault: Vault, staff: User) -> None:
    for text in ("%", "_", "\\", "'", "\0", "x" * 5000, "%%%", "ÄÖ", "<script>"):
        assert found(staff, text) == {}
    assert "<script>alert" not in window(staff).get("/search/", {"q": "<script>alert"}).content.decode()


def test_there_may_be_more(make_vault: Callable[..., Vault], staff: User) -> None:
    for number in range(21):
        make_vault(f"Vault-{number:02}")
    assert len(found(staff, "vault")["Vaults"]) == 20
    assert "There are more" in text_of(window(staff).get("/search/", {"q": "vault"}))


def suggested(user: User, text: str) -> list[str]:
    response: Any = window(user).get("/search/suggestions/", {"q": text})
    assert (response.status_code, response["Cache-Control"]) == (200, "private, no-cache")
    return [hit.title for hit in response.context["hits"]]


def test_suggestions_are_the_first_hits_of_what_one_may_see(
    make_vault: Callable[..., Vault], ask: Ask, staff: User, outsider: User
) -> None:
    make_vault("Payroll")
    ask("Payback")
    make_vault("Pay-elsewhere", subscription=Subscription.objects.get(name="Elsewhere"))
    assert suggested(staff, "pay") == ["Payroll", "Payback"]
    assert suggested(outsider, "pay") == ["Pay-elsewhere"]


def test_one_letter_suggests_nothing(make_vault: Callable[..., Vault], staff: User) -> None:
    make_vault("Payroll")
    for text in ("", " ", "P", " P ", "\u200bP", "%", "x" * 5000):
        assert suggested(staff, text) == []


def test_suggestions_are_few_and_of_each_kind(
    make_vault: Callable[..., Vault], ask: Ask, staff: User, django_assert_num_queries: Any
) -> None:
    for number in range(12):
        make_vault(f"Pay-{number:02}")
    ask("Payback")
    client = window(staff)
    each = 3 if connection.vendor == "sqlite" else 1  # whether the index stands, how many it has, and the rows
    with django_assert_num_queries(2 + 3 * each):  # session, person; vaults, requests, machines
        response: Any = client.get("/search/suggestions/", {"q": "pay"})
    titles = [hit.title for hit in response.context["hits"]]
    assert titles == ["Pay-00", "Pay-01", "Pay-02", "Pay-03", "Payback"]
