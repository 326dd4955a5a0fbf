"""Tokens for the JSON API: their page, and what they open."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.accounts import people, throttle, tokens
from portal.accounts.authentication import Password
from portal.accounts.models import ApiToken, User
from portal.audit.models import AuditEvent
from portal.core.errors import Invalid, NotFound, StaleState
from tests.at_once import at_once
from tests.factories import PASSWORD, as_actor
from tests.portal.pages import inline, text, window

FORM = {"name": "nightly report", "scope": "read", "days": "30", "password": PASSWORD}


def secret_of(response: Any) -> str:
    html: str = response.content.decode()
    return "strongroom_" + html.split("<code>strongroom_")[1].split("<")[0]


def test_the_secret_is_shown_once_and_stored_hashed(staff: User) -> None:
    client = window(staff)
    response = client.post("/accounts/tokens/", FORM)
    assert response.status_code == 200
    assert inline(response) == []
    assert "no-store" in response["Cache-Control"]
    secret = secret_of(response)
    token = ApiToken.objects.get()
    assert (token.name, token.scope, token.user) == ("nightly report", "read", staff)
    assert secret not in str(vars(token))
    assert secret not in client.get("/accounts/tokens/").content.decode()
    assert secret not in str(list(AuditEvent.objects.values()))
    event = AuditEvent.objects.get(action="token:make")
    assert (event.target_id, event.detail) == (str(token.pk), {"scope": "read", "days": 30})


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"name": "x" * 81}, {"scope": "all"}, {"days": "0"}, {"days": "9999"}, {"days": "x"}]
)
def test_wrong_input_makes_no_token(wrong: dict[str, str], staff: User) -> None:
    response = window(staff).post("/accounts/tokens/", {**FORM, **wrong})
    assert (response.status_code, ApiToken.objects.count()) == (422, 0)


def test_a_stolen_session_makes_no_token(staff: User) -> None:
    thief = window(staff)
    for guess in ("", "guess"):
        response = thief.post("/accounts/tokens/", {**FORM, "password": guess})
        assert response.status_code == 422
        assert "nightly report" in response.content.decode()
    assert "Incorrect password." in text(response)
    for _ in range(throttle.TRIES_FOR_NAME - 1):
        thief.post("/accounts/tokens/", {**FORM, "password": "guess"})
    response = thief.post("/accounts/tokens/", FORM)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 900
    assert "Too many attempts." in text(response)
    assert not ApiToken.objects.exists()
    told = AuditEvent.objects.order_by("id")[0]
    assert (told.action, told.actor, told.refused, told.detail) == ("session:confirm", staff, True, {"code": "wrong"})


def test_a_password_changed_meanwhile_makes_no_token(staff: User) -> None:
    """The others have just been revoked, so none may be made that nobody knows of."""
    late = as_actor(User.objects.get())
    people.change_own_password(PASSWORD, "a new and better one", actor=as_actor(staff))
    with pytest.raises(StaleState):
        tokens.make("late", actor=late, scope="full", days=1, answer=Password(PASSWORD))
    assert not ApiToken.objects.exists()


def rows(user: User, names: list[str], **columns: Any) -> None:
    """Tokens, each younger than the one before, live unless told otherwise."""
    until = timezone.now() + timedelta(days=1)
    values = {"scope": "read", "expires_at": until, **columns}
    ApiToken.objects.bulk_create([ApiToken(user=user, name=name, digest=name, **values) for name in names])


def test_one_has_so_many_and_no_more(staff: User, outsider: User) -> None:
    rows(staff, [f"old {number}" for number in range(3)], revoked_at=timezone.now())
    rows(outsider, ["of another"])
    rows(staff, [f"token {number}" for number in range(tokens.MOST - 1)])
    client = window(staff)
    assert client.post("/accounts/tokens/", FORM).status_code == 200
    response = client.post("/accounts/tokens/", FORM)
    assert response.status_code == 422
    assert "You have 50 valid tokens, the maximum. Revoke one first." in text(response)
    assert ApiToken.objects.filter(user=staff, revoked_at=None).count() == tokens.MOST


@pytest.mark.django_db(transaction=True)
def test_the_last_place_is_taken_once(staff: User) -> None:
    rows(staff, [f"token {number}" for number in range(tokens.MOST - 1)])

    def make() -> object:
        actor = as_actor(User.objects.get())
        return tokens.make("last", actor=actor, scope="read", days=1, answer=Password(PASSWORD))

    outcomes = at_once([make] * 3)
    assert [type(one) for one in outcomes].count(Invalid) == 2
    assert ApiToken.objects.count() == tokens.MOST


def test_all_live_ones_are_shown_and_can_be_revoked_ended_ones_after_them(staff: User) -> None:
    """A token that a thief has made must not hide behind others, however many."""
    rows(staff, [f"live {number}" for number in range(tokens.MOST)])
    rows(staff, [f"ended {number}" for number in range(tokens.ENDED_SHOWN + 1)], expires_at=timezone.now())
    rows(staff, ["revoked"], revoked_at=timezone.now())
    response = window(staff).get("/accounts/tokens/")
    page = response.content.decode()
    named = re.findall(r'<th scope="row">(\w+)', page)
    assert named == ["live"] * tokens.MOST + ["revoked"] + ["ended"] * (tokens.ENDED_SHOWN - 1)
    assert len(re.findall(r'action="/accounts/tokens/[0-9a-f-]+/revoke/"', page)) == tokens.MOST
    assert [text(response).count(word) for word in ("Valid", "Expired", "Revoked")] == [50, 49, 1]


@pytest.mark.parametrize(
    "wrong",
    [{"name": " "}, {"name": "x" * 81}, {"scope": "all"}, {"days": 0}, {"days": 367}, {"password": "no"}],
    ids=str,
)
def test_the_function_checks_as_well(wrong: dict[str, object], staff: User) -> None:
    values = {"name": "report", "scope": "read", "days": 30, "password": PASSWORD, **wrong}
    answer = Password(str(values.pop("password")))
    with pytest.raises(Invalid) as refused:
        tokens.make(str(values.pop("name")), actor=as_actor(staff), answer=answer, **values)  # type: ignore[arg-type]
    assert set(refused.value.errors) == set(wrong)


def test_a_token_says_who_comes_and_what_they_may(staff: User) -> None:
    _, reading = tokens.make("a", actor=as_actor(staff), scope="read", days=1, answer=Password(PASSWORD))
    _, full = tokens.make("b", actor=as_actor(staff), scope="full", days=1, answer=Password(PASSWORD))
    actor = tokens.bearer(reading, address="192.0.2.1")
    assert actor is not None
    assert (actor.user, actor.via, actor.address, actor.read_only) == (staff, "token", "192.0.2.1", True)
    actor = tokens.bearer(full, address="")
    assert actor is not None
    assert not actor.read_only


def test_what_opens_nothing(staff: User) -> None:
    token, secret = tokens.make("a", actor=as_actor(staff), scope="full", days=1, answer=Password(PASSWORD))
    assert tokens.bearer("", address="") is None
    assert tokens.bearer(secret + "x", address="") is None
    assert tokens.bearer(token.digest, address="") is None
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert tokens.bearer(secret, address="") is None
    ApiToken.objects.update(expires_at=timezone.now() + timedelta(days=1), revoked_at=timezone.now())
    assert tokens.bearer(secret, address="") is None
    ApiToken.objects.update(revoked_at=None)
    User.objects.filter(pk=staff.pk).update(is_active=False)
    assert tokens.bearer(secret, address="") is None


def test_use_is_noted_at_most_once_a_minute(staff: User) -> None:
    _, secret = tokens.make("a", actor=as_actor(staff), scope="full", days=1, answer=Password(PASSWORD))
    tokens.bearer(secret, address="")
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    tokens.bearer(secret, address="")
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    tokens.bearer(secret, address="")
    again = ApiToken.objects.get().last_used_at
    assert again is not None
    assert again >= first


def test_revoking_ends_it_at_once_and_is_audited_once(staff: User) -> None:
    token, secret = tokens.make("a", actor=as_actor(staff), scope="full", days=1, answer=Password(PASSWORD))
    client = window(staff)
    for _ in range(2):
        assert client.post(f"/accounts/tokens/{token.pk}/revoke/").status_code == 302
    assert tokens.bearer(secret, address="") is None
    assert AuditEvent.objects.filter(action="token:revoke").count() == 1
    assert "Revoked" in text(client.get("/accounts/tokens/"))


def test_nobody_sees_or_revokes_those_of_others(staff: User, outsider: User) -> None:
    token, secret = tokens.make(
        "report of staff", actor=as_actor(staff), scope="full", days=1, answer=Password(PASSWORD)
    )
    client = window(outsider)
    assert "report of staff" not in text(client.get("/accounts/tokens/"))
    assert client.post(f"/accounts/tokens/{token.pk}/revoke/").status_code == 404
    with pytest.raises(NotFound):
        tokens.revoke(token.pk, actor=as_actor(outsider))
    assert tokens.bearer(secret, address="") is not None


def test_revoking_is_a_post_with_a_token(staff: User) -> None:
    token, _ = tokens.make("a", actor=as_actor(staff), scope="full", days=1, answer=Password(PASSWORD))
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)
    assert client.get(f"/accounts/tokens/{token.pk}/revoke/").status_code == 405
    assert client.post(f"/accounts/tokens/{token.pk}/revoke/").status_code == 403
    assert ApiToken.objects.get().revoked_at is None
