"""Forms sent too late: what was typed comes back filled in, to the same person, and nothing is sent by itself."""

import re
import time
from typing import Any

import pytest
from django import forms
from django.test import Client, RequestFactory

from portal.accounts.models import Subscription, User
from portal.core.errors import Unavailable
from portal.web import kept_forms
from portal.web.error_pages import refused
from tests.factories import PASSWORD, member_of
from tests.portal.pages import inline, text, window
from vaults.models import Region, VaultRequest

HOST = "http://testserver"
NEW = "/vaults/new/"
OURS = {"Origin": HOST, "Referer": f"{HOST}{NEW}"}
NOT_SENT = "review it and send it again."
LOGIN = "/accounts/login/"


@pytest.fixture
def typed(subscription: Subscription, regions: tuple[Region, Region]) -> dict[str, Any]:
    return {
        "subscription": subscription.pk,
        "name": "Typed-long-ago",
        "region": regions[1].pk,
        "redundancy": "local",
        "reason": "A reason that <took> ten minutes",
    }


def browser(user: User | None = None) -> Client:
    """A browser that checks as real ones do, with the cookie of a page that it has open."""
    client = Client(enforce_csrf_checks=True)
    if user:
        client.force_login(user)
    return client


def field(page: Any, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.content.decode())
    return found[1] if found else ""


def has_it_back(page: Any) -> bool:
    """Whether Quick Create is filled in as it was, and says so."""
    html = page.content.decode()
    filled = (
        'value="Typed-long-ago"' in html
        and "A reason that &lt;took&gt; ten minutes</textarea>" in html
        and re.search(r'value="local"[^>]* checked', html) is not None
        and re.search(r'<option value="\d+" selected>Local B', html) is not None
    )
    assert filled == (NOT_SENT in html)
    assert inline(page) == []
    return filled


def sign_in(client: Client, page: Any, user: User, password: str = PASSWORD) -> Any:
    """Send the form of the sign-in page as it is."""
    names = ("csrfmiddlewaretoken", "kept", "next")
    form = {**{name: field(page, name) for name in names}, "username": user.username, "password": password}
    return client.post(LOGIN, form, headers={"Origin": HOST}, follow=True)


def signed_out_while_typing(user: User) -> tuple[Client, str, str]:
    """A browser whose session has ended with Quick Create open; with the token and the mark that the form has."""
    client = browser(user)
    page = client.get(NEW)
    del client.cookies["sessionid"]
    return client, field(page, "csrfmiddlewaretoken"), field(page, "made_for")


def test_after_the_session_has_ended_it_comes_back_with_the_sign_in(staff: User, typed: dict[str, Any]) -> None:
    client, token, made_for = signed_out_while_typing(staff)
    page = client.post(NEW, {**typed, "csrfmiddlewaretoken": token, "made_for": made_for}, headers=OURS)
    assert (page.status_code, page["Cache-Control"]) == (401, "no-store")
    assert "What you typed is kept." in text(page)
    assert "ten minutes" not in page.content.decode()
    wrong = sign_in(client, page, staff, "not it")
    back = sign_in(client, wrong, staff)
    assert back.redirect_chain == [(NEW, 302)]
    assert has_it_back(back)
    assert VaultRequest.objects.count() == 0
    again = client.post(
        NEW, {**typed, "csrfmiddlewaretoken": field(back, "csrfmiddlewaretoken")}, headers=OURS, follow=True
    )
    assert VaultRequest.objects.get().reason == typed["reason"]
    assert again.status_code == 200
    assert not has_it_back(client.get(NEW))


def test_also_without_any_cookie(staff: User, typed: dict[str, Any]) -> None:
    client, token, made_for = signed_out_while_typing(staff)
    client.cookies.clear()
    page = client.post(NEW, {**typed, "csrfmiddlewaretoken": token, "made_for": made_for}, headers=OURS)
    assert page.status_code == 401
    assert has_it_back(sign_in(client, page, staff))


def test_a_form_of_an_earlier_session_comes_back_at_once(staff: User, typed: dict[str, Any]) -> None:
    client, token, made_for = signed_out_while_typing(staff)
    sign_in(client, client.get(LOGIN), staff)
    form = {**typed, "csrfmiddlewaretoken": token, "made_for": made_for}
    page: Any = client.post(NEW, form, headers=OURS, follow=True)
    assert (page.status_code, page.redirect_chain) == (200, [(NEW, 302)])
    assert has_it_back(page)
    assert VaultRequest.objects.count() == 0


def test_somebody_else_who_signs_in_gets_nothing_of_it(
    staff: User, typed: dict[str, Any], subscription: Subscription
) -> None:
    other = member_of(subscription, "other")
    client, token, made_for = signed_out_while_typing(staff)
    page = client.post(NEW, {**typed, "csrfmiddlewaretoken": token, "made_for": made_for}, headers=OURS)
    sign_in(client, page, other)
    assert not has_it_back(client.get(NEW))
    form = {**typed, "csrfmiddlewaretoken": token, "made_for": made_for}
    refused_page = client.post(NEW, form, headers=OURS)
    assert refused_page.status_code == 403
    assert "opened by somebody else" in text(refused_page)
    assert not has_it_back(client.get(NEW))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null", "Referer": f"{HOST}{NEW}"},
        {"Origin": "https://testserver"},
        {"Origin": f"{HOST}:81"},
        {"Referer": "https://elsewhere.example/testserver/"},
        {"Origin": "https://elsewhere.example", "Referer": f"{HOST}{NEW}"},
    ],
)
@pytest.mark.parametrize("signed_in", [True, False])
def test_another_site_cannot_fill_in_a_form(
    headers: dict[str, str], signed_in: bool, staff: User, typed: dict[str, Any]
) -> None:
    client = browser(staff if signed_in else None)
    page = client.post(NEW, {**typed, "made_for": kept_forms.mark_of(staff.pk)}, headers=headers)
    assert page.status_code == 403
    assert field(page, "kept") == ""
    if not signed_in:
        client.force_login(staff)
    assert not has_it_back(client.get(NEW))


def test_a_sign_in_from_another_site_signs_nobody_in_and_fills_in_nothing(staff: User, typed: dict[str, Any]) -> None:
    """Not with a form that the attacker had sealed in a browser of their own."""
    theirs = browser().post(NEW, {**typed, "made_for": kept_forms.mark_of(staff.pk)}, headers=OURS)
    victim = browser()
    form = {"username": "staff", "password": PASSWORD, "kept": field(theirs, "kept"), "next": NEW}
    for headers in ({"Origin": "https://elsewhere.example"}, {}):
        answer = victim.post(LOGIN, form, headers=headers)
        assert (answer.status_code, "sessionid" in victim.cookies) == (403, False)
    victim.force_login(staff)
    victim.post(LOGIN, form, headers={"Origin": "https://elsewhere.example"})
    assert not has_it_back(victim.get(NEW))


@pytest.mark.parametrize("text", ["", "x", "AAAA", "\0"])
def test_what_was_not_sealed_here_is_nothing(text: str, staff: User) -> None:
    client = browser()
    page = client.get(LOGIN)
    form = {"csrfmiddlewaretoken": field(page, "csrfmiddlewaretoken"), "kept": text}
    answer: Any = client.post(LOGIN, {**form, "username": "staff", "password": PASSWORD}, headers={"Origin": HOST})
    assert (answer.status_code, answer["Location"]) == (302, "/vaults/")


def test_it_is_kept_for_half_an_hour(staff: User, typed: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    client, token, made_for = signed_out_while_typing(staff)
    page = client.post(NEW, {**typed, "csrfmiddlewaretoken": token, "made_for": made_for}, headers=OURS)
    assert has_it_back(sign_in(client, page, staff))
    later = time.time() + kept_forms.GOOD_FOR + 1
    monkeypatch.setattr("portal.web.kept_forms.time.time", lambda: later)
    assert not has_it_back(client.get(NEW))
    assert kept_forms.unsealed(field(page, "kept")) is None


def test_it_comes_back_on_the_page_of_the_form_and_on_no_other(staff: User, typed: dict[str, Any]) -> None:
    client, token, made_for = signed_out_while_typing(staff)
    sign_in(client, client.get(LOGIN), staff)
    client.post(
        NEW,
        {**typed, "csrfmiddlewaretoken": token, "made_for": made_for},
        headers={**OURS, "Referer": f"{HOST}/accounts/"},
    )
    assert not has_it_back(client.get(NEW))
    assert NOT_SENT in client.get("/accounts/").content.decode()


@pytest.mark.parametrize("referer", ["//elsewhere.example/", "/\\elsewhere.example/", ""])
def test_the_page_is_one_of_ours(referer: str, staff: User, typed: dict[str, Any]) -> None:
    headers = {"Origin": HOST, "Referer": f"{HOST}{referer}" if referer else ""}
    answer = browser(staff).post(NEW, {**typed, "made_for": kept_forms.mark_of(staff.pk)}, headers=headers)
    assert (answer.status_code, answer["Location"]) == (302, NEW)


def test_passwords_are_not_kept(staff: User) -> None:
    client = browser(staff)
    where = {"Origin": HOST, "Referer": f"{HOST}/accounts/tokens/"}
    form = {"name": "nightly report", "scope": "read", "days": "7", "password": PASSWORD}
    form["made_for"] = kept_forms.mark_of(staff.pk)
    page: Any = client.post("/accounts/tokens/", form, headers=where, follow=True)
    assert 'value="nightly report"' in page.content.decode()
    assert "without passwords" in text(page)
    assert PASSWORD not in page.content.decode()
    stored = client.session[kept_forms.SESSION_KEY]
    assert sorted(stored["fields"]) == ["days", "name", "scope"]
    passwords = {"old": PASSWORD, "new": "another long one", "again": "another long one"}
    assert client.post("/accounts/password/", passwords, headers=where).status_code == 403
    assert client.session[kept_forms.SESSION_KEY] == stored


def test_what_was_made_for_nobody_goes_to_nobody(staff: User, typed: dict[str, Any]) -> None:
    """Whoever signs in next at a shared computer may be another than who typed it."""
    client, token, _ = signed_out_while_typing(staff)
    page = client.post(NEW, {**typed, "csrfmiddlewaretoken": token, "made_for": ""}, headers=OURS)
    assert not has_it_back(sign_in(client, page, staff))
    assert not has_it_back(client.get(NEW))


def test_what_does_not_say_for_whom_it_was_made_comes_back_too(staff: User, typed: dict[str, Any]) -> None:
    """A program's form, after the session has ended and with the token of a session before; never from another site."""
    client, token, _ = signed_out_while_typing(staff)
    page = client.post(NEW, {**typed, "csrfmiddlewaretoken": token}, headers=OURS)
    assert has_it_back(sign_in(client, page, staff))
    client.get(NEW)
    elsewhere = {**OURS, "Origin": "https://evil.example"}
    assert not has_it_back(client.post(NEW, {**typed, "csrfmiddlewaretoken": token}, headers=elsewhere, follow=True))
    assert has_it_back(client.post(NEW, {**typed, "csrfmiddlewaretoken": token}, headers=OURS, follow=True))


def test_every_password_field_is_known_as_one() -> None:
    def of(form: type[forms.BaseForm]) -> set[str]:
        own = {
            name
            for name, one in getattr(form, "base_fields", {}).items()
            if isinstance(one.widget, forms.PasswordInput)
        }
        return own.union(*map(of, form.__subclasses__()))

    found = of(forms.BaseForm)
    assert {"password", "old", "new", "again"} <= found
    assert [name for name in sorted(found) if not kept_forms.is_secret(name)] == []


def test_too_much_is_not_kept(staff: User, typed: dict[str, Any]) -> None:
    form = {**typed, "reason": "x" * kept_forms.LARGEST, "made_for": kept_forms.mark_of(staff.pk)}
    assert browser(staff).post(NEW, form, headers=OURS).status_code == 403


def test_an_old_sign_in_page_leads_on_when_one_is_signed_in_by_now(staff: User) -> None:
    """Two tabs with the sign-in page: the second is sent when the first has changed the token."""
    client = browser()
    token = field(client.get(LOGIN), "csrfmiddlewaretoken")
    sign_in(client, client.get(LOGIN), staff)
    form = {"csrfmiddlewaretoken": token, "username": "staff", "password": PASSWORD}
    answer: Any = client.post(LOGIN, form, headers={"Origin": HOST})
    assert (answer.status_code, answer["Location"]) == (302, "/vaults/")


def test_an_old_sign_in_page_is_made_anew_with_what_it_carried(staff: User, typed: dict[str, Any]) -> None:
    client, token, made_for = signed_out_while_typing(staff)
    page = client.post(NEW, {**typed, "csrfmiddlewaretoken": token, "made_for": made_for}, headers=OURS)
    client.cookies.clear()
    anew = sign_in(client, page, staff)
    assert anew.status_code == 401
    assert "The sign-in page had expired" in text(anew)
    assert field(anew, "username") == "" or "staff" in anew.content.decode()
    assert has_it_back(sign_in(client, anew, staff))


def test_while_a_part_is_away_the_page_offers_to_send_the_same_again(staff: User) -> None:
    form = {"name": 'A<b>"', "password": "pw", "csrfmiddlewaretoken": "token"}
    request = RequestFactory().post("/x/?a=b", form, headers={"Origin": HOST})
    request.user = staff
    page = refused(request, Unavailable("Not now."))
    assert (page.status_code, "Send again" in text(page)) == (503, True)
    html = page.content.decode()
    assert 'action="/x/?a=b"' in html
    assert 'name="name" value="A&lt;b&gt;&quot;"' in html
    assert field(page, "password") == ""
    assert 'value="token"' not in html


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://elsewhere.example"}])
def test_it_offers_nothing_that_another_site_has_sent(headers: dict[str, str], staff: User) -> None:
    request = RequestFactory().post("/x/", {"name": "planted"}, headers=headers)
    request.user = staff
    page = refused(request, Unavailable("Not now."))
    assert "planted" not in page.content.decode()


def test_each_form_says_for_whom_it_is(staff: User, approver: User) -> None:
    marks = {field(window(one).get("/accounts/tokens/"), "made_for") for one in (staff, approver)}
    assert len(marks) == 2
    assert field(Client().get(LOGIN), "made_for") == ""
