"""A password that somebody else has chosen opens one page: the one on which it is changed."""

import pytest
from django.test import Client

from portal.accounts import people
from portal.accounts.models import User
from portal.core.actor import SYSTEM
from tests.factories import PASSWORD, as_actor
from tests.portal.pages import HTMX, sign_in, text, window

pytestmark = pytest.mark.django_db
GIVEN, OWN = "a new and better one", "another quite good one"
FIRST = "Change your password first."


@pytest.fixture
def newcomer(administrator: User) -> User:
    return people.create_user(as_actor(administrator), "newcomer", GIVEN, is_approver=True, is_administrator=True)


def change(client: Client, new: str) -> str:
    return text(client.post("/accounts/password/", {"old": GIVEN, "new": new, "again": new}, follow=True))


def test_everything_else_opens_with_a_password_of_ones_own(newcomer: User) -> None:
    client = Client()
    assert sign_in(client, "newcomer", GIVEN).status_code == 302
    for address in ("/", "/vaults/", "/requests/", "/accounts/tokens/", "/admin/"):
        assert client.get(address)["Location"] == "/accounts/"
    assert client.get("/vaults/", headers=HTMX).status_code == 403
    answer = client.get("/api/v1/vaults")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert FIRST in text(client.get("/accounts/"))
    assert "This is already your password." in change(client, GIVEN)
    assert "Your password has been changed." in change(client, OWN)
    assert FIRST not in text(client.get("/accounts/"))
    assert [client.get(address).status_code for address in ("/vaults/", "/admin/", "/api/v1/vaults")] == [200] * 3


def test_signing_out_works(newcomer: User) -> None:
    client = window(newcomer)
    assert client.post("/accounts/logout/")["Location"] == "/accounts/login/"


def test_it_is_so_again_after_an_administrator_has_set_another(staff: User, administrator: User) -> None:
    people.set_password(as_actor(administrator), staff, GIVEN)
    client = Client()
    sign_in(client, "staff", GIVEN)
    assert client.get("/vaults/")["Location"] == "/accounts/"


def test_ones_own_choice_and_the_commands_stand(administrator: User) -> None:
    people.set_password(as_actor(administrator), administrator, GIVEN)
    made = people.create_user(SYSTEM, "made", OWN)
    for user in (administrator, made):
        user.refresh_from_db()
        assert user.must_change_password is False
        assert window(user).get("/vaults/").status_code == 200


def test_a_second_tab_with_the_sign_in_leads_on(staff: User) -> None:
    """Its token ended with the sign-in in the first tab; that is no reason to refuse."""
    client = Client(enforce_csrf_checks=True)
    client.get("/accounts/login/")
    old = client.cookies["csrftoken"].value
    form = {"username": "staff", "password": PASSWORD, "csrfmiddlewaretoken": old}
    assert client.post("/accounts/login/", form).status_code == 302
    again = client.post("/accounts/login/", {**form, "next": "/agents/"})
    assert (again.status_code, again["Location"]) == (302, "/agents/")
    elsewhere = client.post("/accounts/login/", {**form, "next": "https://elsewhere.example/"})
    assert elsewhere["Location"] == "/vaults/"
    assert client.post("/accounts/password/", {**form, "old": PASSWORD}).status_code == 403
