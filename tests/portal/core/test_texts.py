"""Texts that read otherwise than they are: refused where people give them, spelt out where they were stored before."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from django.test import Client

from portal.accounts import people, subscriptions, tokens
from portal.accounts.authentication import Password
from portal.accounts.models import Subscription, User
from portal.core import texts
from portal.core.actor import SYSTEM
from portal.core.errors import Invalid
from tests.factories import PASSWORD, as_actor
from tests.portal.pages import window
from vaults.models import Region, VaultRequest

HIDDEN = [
    "\x00",
    "\x1b",
    "\x7f",
    "\x85",
    "\u200b",
    "\u200e",
    "\u202e",
    "\u2066",
    "\u2028",
    "\ufeff",
    "\u00ad",
    "\U000e0041",
]
BLANK = ["", " ", "\u00a0", "\u200b\u200b", "\u200d", "\u2800", "\u3164", "\u0301", "\n\t"]


@pytest.mark.parametrize("letter", HIDDEN, ids=lambda letter: f"U+{ord(letter):04X}")
def test_hidden_characters_are_refused_and_spelt_out(letter: str) -> None:
    code = f"U+{ord(letter):04X}"
    assert code in texts.problem(f"pay{letter}roll")
    assert texts.shown(f"pay{letter}roll") == f"pay[{code}]roll"
    assert texts.visible(f"<p>pay{letter}roll\u00a0·</p>\n") == f"<p>pay[{code}]roll\u00a0·</p>\n"
    assert texts.without_hidden(f" pay{letter}roll ") == "payroll"
    assert len(texts.in_one_line(letter)) == 1
    assert not texts.is_hidden(texts.in_one_line(letter), lines=False)


@pytest.mark.parametrize("text", BLANK, ids=ascii)
def test_what_cannot_be_read_counts_as_empty(text: str) -> None:
    assert texts.problem(text, required=True) == "This field is required."


@pytest.mark.parametrize("text", ["two\nlines\ttab\r\n", "می‌خواهم", "👩‍💻", "Zürich – “ﬁ” 東京", "e\u0301"], ids=ascii)
def test_what_people_write_is_taken(text: str) -> None:
    assert texts.problem(text, required=True) == ""
    assert texts.visible(text.replace("\r", "").replace("\t", "")) == text.replace("\r", "").replace("\t", "")


def test_names_are_one_line() -> None:
    assert "U+000A" in texts.problem("two\nlines", lines=False)


@pytest.mark.django_db
class TestEverywhere:
    """Each place in which somebody gives a text."""

    @pytest.mark.parametrize("reason", ["read \u202e backwards", "\u200b\u200b", "\u3164"], ids=ascii)
    def test_reasons(self, reason: str, staff: User, regions: tuple[Region, Region]) -> None:
        form = {"subscription": staff.subscriptions.get().pk, "name": "Odd", "region": regions[1].pk}
        form |= {"redundancy": "local", "reason": reason}
        assert window(staff).post("/vaults/new/", form).status_code == 422
        call = {"subscription": "Default", "name": "Odd", "region": "Local B", "redundancy": "local", "reason": reason}
        assert self.call(staff, "/api/v1/vault-requests", call) == 422
        assert VaultRequest.objects.count() == 0

    @pytest.mark.parametrize("machines", [True, "1", 1.0, None])
    def test_numbers(self, machines: Any, staff: User, make_vault: Any) -> None:
        """Nothing but a number is one."""
        vault = make_vault()
        assert self.call(staff, f"/api/v1/vaults/{vault.pk}/credentials", {"machines": machines}) == 422

    @pytest.mark.parametrize("name", ["night\u202ely", "\u200b", "two\nlines"], ids=ascii)
    def test_tokens(self, name: str, staff: User) -> None:
        with pytest.raises(Invalid) as refused:
            tokens.make(name, actor=as_actor(staff), scope="read", days=1, answer=Password(PASSWORD))
        assert set(refused.value.errors) == {"name"}

    @pytest.mark.parametrize("text", ["Pay\u202eroll", "two\nlines"], ids=ascii)
    def test_subscriptions_and_people(self, text: str, staff: User) -> None:
        for act in (
            lambda: subscriptions.create_subscription(SYSTEM, text),
            lambda: subscriptions.create_subscription(SYSTEM, "Fine", description=text),
            lambda: subscriptions.rename_subscription(SYSTEM, staff.subscriptions.get(), text),
            lambda: people.create_user(SYSTEM, text, "a new and better one"),
            lambda: people.create_user(SYSTEM, "fine", "a new and better one", full_name=text),
            lambda: people.describe_user(SYSTEM, staff, full_name=text, email=""),
        ):
            with pytest.raises(Invalid):
                act()
        assert (Subscription.objects.count(), User.objects.count()) == (1, 1)

    def test_the_admin_site_says_so_beside_the_field(self, administrator: User) -> None:
        page = window(administrator).post("/admin/accounts/subscription/add/", self.inline({"name": "Pay\u202eroll"}))
        assert page.status_code == 200
        assert "(U+202E). Remove it" in page.content.decode()
        page = window(administrator).post("/admin/accounts/subscription/add/", self.inline({"name": "\u3164"}))
        assert "This field is required." in page.content.decode()
        assert Subscription.objects.count() == 0

    def test_what_was_stored_before_is_spelt_out(self, staff: User) -> None:
        Subscription.objects.update(name="Default\u202e\x1b[31m")
        page = window(staff).get("/accounts/").content.decode()
        assert "Default[U+202E][U+001B][31m" in page
        assert "\u202e" not in page

    def test_a_search_for_a_pasted_name_finds_it(self, staff: User, make_vault: Any) -> None:
        make_vault("Payroll")
        assert "Payroll" in window(staff).get("/search/", {"q": "Pay\u200broll\u202c"}).content.decode()

    @staticmethod
    def call(user: User, address: str, body: Mapping[str, object]) -> int:
        client: Client = window(user)
        return client.post(address, json.dumps(body), content_type="application/json").status_code

    @staticmethod
    def inline(form: dict[str, str]) -> dict[str, str]:
        return {**form, "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
