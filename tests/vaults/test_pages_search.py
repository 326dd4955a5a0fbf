"""Search: by a part of the name, in what the person may see, whatever the kind."""

from collections.abc import Callable
from typing import Any

from portal.accounts.models import Subscription, User
from tests.vaults.conftest import Ask
from tests.vaults.pages import text_of, window
from vaults.models import Vault


def found(user: User, text: str) -> dict[str, list[str]]:
    response: Any = window(user).get("/search/", {"q": text})
    assert response.status_code == 200
    return {group.kind: [hit.title for hit in group.hits] for group in response.context["found"]}


def test_nothing_is_searched_without_a_text(vault: Vault, staff: User) -> None:
    assert found(staff, "  ") == {}
    assert "Nothing is named like" not in text_of(window(staff).get("/search/"))


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
