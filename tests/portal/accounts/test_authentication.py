"""Signing in and out: what is refused, how long one waits, what ends a session, and what the audit log says."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from portal.accounts import authentication, people, throttle, tokens
from portal.accounts.authentication import Password
from portal.accounts.models import SignInFailure, User
from portal.audit.models import AuditEvent, RefusalCounter
from portal.audit.record import write_refusal_counts
from portal.core.actor import SYSTEM
from portal.core.errors import Throttled
from tests.factories import PASSWORD, as_actor, person
from tests.portal.pages import HTMX, inline, sign_in, text, window

pytestmark = pytest.mark.django_db
WRONG = "Incorrect user name or password."


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


def failures(username: str, count: int, *, address: str = "127.0.0.1", minutes: float = 1) -> None:
    """Tries that failed so many minutes ago."""
    at = timezone.now() - timedelta(minutes=minutes)
    SignInFailure.objects.bulk_create([SignInFailure(username=username, address=address, at=at)] * count)


def told() -> list[tuple[str, str, bool, Any]]:
    """The audit log, oldest first."""
    events = AuditEvent.objects.order_by("id")
    return [(event.action, event.actor_label, event.refused, event.detail) for event in events]


@pytest.mark.parametrize(("username", "label"), [("staff", "staff"), ("nobody", 'unknown "nobody"')])
def test_a_wrong_password_and_an_unknown_name_look_the_same(username: str, label: str, staff: User) -> None:
    client = Client()
    response = sign_in(client, username, "wrong password")
    assert response.status_code == 200
    assert WRONG in text(response)
    assert f'value="{username}"' in response.content.decode()
    assert "wrong password" not in response.content.decode()
    assert get_user(client).is_anonymous
    assert told() == [("session:sign-in", label, True, {"code": "wrong"})]


def test_people_who_left_are_told_nothing_more(staff: User) -> None:
    User.objects.filter(pk=staff.pk).update(is_active=False)
    assert WRONG in text(sign_in(Client(), "staff"))


def test_unknown_names_cost_a_hash_too(staff: User, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counting(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(salt)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counting)
    counts = []
    for username in ("staff", "nobody"):
        hashed.clear()
        sign_in(Client(), username, "wrong password")
        counts.append(len(hashed))
    assert counts == [1, 1]


def test_signing_in_and_out_is_audited(staff: User) -> None:
    client = Client()
    response = sign_in(client, "Staff", next="/accounts/")
    assert (response.status_code, response["Location"]) == (302, "/accounts/")
    assert get_user(client) == staff
    response = client.post("/accounts/logout/")
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/")
    assert get_user(client).is_anonymous
    assert told() == [("session:sign-in", "staff", False, {}), ("session:sign-out", "staff", False, {})]


def test_signing_out_needs_a_post_and_is_harmless_twice(staff: User) -> None:
    client = window(staff)
    assert client.get("/accounts/logout/").status_code == 405
    for _ in range(2):
        assert client.post("/accounts/logout/")["Location"] == "/accounts/login/"


@pytest.mark.parametrize("path", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)", ""])
def test_next_stays_on_this_site(path: str, staff: User) -> None:
    assert sign_in(Client(), "staff", next=path)["Location"] == "/vaults/"


def test_the_form_needs_its_token(staff: User) -> None:
    response = sign_in(Client(enforce_csrf_checks=True), "staff")
    assert response.status_code == 403
    assert "This form has expired" in text(response)
    assert inline(response) == []


def test_too_many_tries_wait_even_with_the_right_password(staff: User) -> None:
    failures("staff", throttle.TRIES_FOR_NAME - 1, address="198.51.100.1", minutes=10)
    failures("staff", 1, address="198.51.100.1", minutes=1)
    client = Client()
    response = sign_in(client, "staff")
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 300
    assert "Too many attempts. Wait 5 minutes, then try again." in text(response)
    assert get_user(client).is_anonymous
    assert told() == [("session:sign-in", "staff", True, {"code": "throttled"})]


def test_one_less_passes_and_success_starts_anew(staff: User) -> None:
    failures("staff", throttle.TRIES_FOR_NAME - 1)
    assert sign_in(Client(), "staff").status_code == 302
    assert SignInFailure.objects.count() == 0


def test_waiting_ends_even_while_somebody_goes_on_knocking(staff: User) -> None:
    failures("staff", throttle.TRIES_FOR_NAME, minutes=1)
    for _ in range(3):
        with pytest.raises(Throttled) as refused:
            authentication.check("staff", "guess", address="127.0.0.1")
    assert refused.value.retry_after <= 14 * 60
    assert SignInFailure.objects.count() == throttle.TRIES_FOR_NAME


def test_old_failures_count_no_more(staff: User) -> None:
    failures("staff", 100, minutes=15.1)
    assert sign_in(Client(), "staff").status_code == 302


def test_a_flood_of_refusals_is_two_entries(staff: User) -> None:
    for _ in range(5):
        sign_in(Client(), "staff", "wrong password")
    assert told() == [("session:sign-in", "staff", True, {"code": "wrong"})]
    RefusalCounter.objects.update(since=timezone.now() - timedelta(seconds=61))
    sign_in(Client(), "nobody", "wrong password")
    assert [(label, detail.get("repeated")) for _, label, _, detail in told()] == [
        ("staff", None),
        ("staff", 4),
        ('unknown "nobody"', None),
    ]


def test_throttled_guesses_of_many_names_are_one_flood(staff: User) -> None:
    failures("x", throttle.TRIES_FROM_ADDRESS + throttle.A_MINUTE_WHEN_CROWDED, minutes=0.5)
    for number in range(5):
        response = sign_in(Client(), f"name{number}", "guess")
    assert 0 < int(response["Retry-After"]) <= 30
    assert told() == [("session:sign-in", "unknown", True, {"code": "throttled"})]


def test_what_strangers_call_themselves_is_spelt_out(staff: User) -> None:
    """In the log a name reads as it is: no second line, nothing turned round, nothing that a terminal obeys."""
    for name in ("evil\nFAKE", "evil\u202egnp.exe", "evil\x1b[31mX", "a\u2028b", "a\u200bb"):
        sign_in(Client(), name, "guess")
    assert [label for _, label, _, _ in told()] == [
        'unknown "evil[U+000A]fake"',
        'unknown "evil[U+202E]gnp.exe"',
        'unknown "evil[U+001B][31mx"',
        'unknown "a[U+2028]b"',
        'unknown "a[U+200B]b"',
    ]


def test_changing_the_password_ends_the_other_sessions(staff: User) -> None:
    here, there = window(staff), window(staff)
    for name in ("one", "another"):
        tokens.make(name, actor=as_actor(staff), scope="full", days=1, answer=Password(PASSWORD))
    new = "a new and better one"
    form = {"old": PASSWORD, "new": new, "again": new}
    assert here.post("/accounts/password/", form)["Location"] == "/accounts/"
    assert here.get("/accounts/password/")["Location"] == "/accounts/"  # where a form that was refused left the browser
    page = here.get("/accounts/")
    assert "Sessions on other devices have ended, and your API tokens are revoked." in text(page)
    assert (page.status_code, there.get("/accounts/").status_code) == (200, 302)
    assert told()[2:] == [("user:change-password", "staff", False, {"tokens_revoked": 2})]


def test_the_ninth_wrong_password_of_a_session_waits(staff: User) -> None:
    """Else whoever has the session finds the password, and with it all that the password opens."""
    client, new = window(staff), "a new and better one"
    for _ in range(throttle.TRIES_FOR_NAME):
        assert client.post("/accounts/password/", {"old": "guess", "new": new, "again": new}).status_code == 422
    response = client.post("/accounts/password/", {"old": PASSWORD, "new": new, "again": new})
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 900
    assert "Too many attempts. Wait 15 minutes, then try again." in text(response)
    staff.refresh_from_db()
    assert staff.check_password(PASSWORD)
    RefusalCounter.objects.update(since=timezone.now() - timedelta(seconds=61))
    write_refusal_counts()
    wrong, throttled, again = told()
    assert wrong == ("session:confirm", "staff", True, {"code": "wrong"})
    assert throttled == ("session:confirm", "staff", True, {"code": "throttled"})
    assert (again[0], again[3]["code"], again[3]["repeated"]) == ("session:confirm", "wrong", 7)
    assert sign_in(Client(), "staff").status_code == 429


@pytest.mark.parametrize("spelling", ["STAFF", " staff ", "\uff53taff", "\u017ftaff", "\u017fTAFF"])
def test_no_spelling_of_a_name_has_tries_of_its_own(spelling: str, staff: User) -> None:
    failures("staff", throttle.TRIES_FOR_NAME, address="198.51.100.1")
    assert sign_in(Client(), spelling, "guess").status_code == 429
    assert told() == [("session:sign-in", "staff", True, {"code": "throttled"})]


@pytest.mark.parametrize("look_alike", ["adm\u0131n", "ADM\u0131N"])
def test_a_name_that_looks_alike_is_another_ones(look_alike: str, administrator: User) -> None:
    """Where the database takes it for the same when it makes capitals of both, too."""
    assert WRONG in text(sign_in(Client(), look_alike))
    person("adm\u0131n")
    client = Client()
    assert sign_in(client, "admin").status_code == 302
    assert get_user(client) == administrator


@pytest.mark.parametrize(
    ("form", "error"),
    [
        (
            {"old": "not it", "new": "a new and better one", "again": "a new and better one"},
            "Incorrect password.",
        ),
        ({"old": PASSWORD, "new": "short", "again": "short"}, "This password is too short."),
        (
            {"old": PASSWORD, "new": "a new and better one", "again": "a new and better on"},
            "The two passwords are not the same",
        ),
        ({"old": PASSWORD, "new": "", "again": ""}, "This field is required."),
    ],
)
def test_a_password_that_cannot_be(form: dict[str, str], error: str, staff: User) -> None:
    client = window(staff)
    response = client.post("/accounts/password/", form)
    assert response.status_code == 422
    assert error in text(response)
    staff.refresh_from_db()
    assert staff.check_password(PASSWORD)
    assert client.get("/accounts/").status_code == 200


def test_deactivation_ends_sessions_for_good(staff: User) -> None:
    client = window(staff)
    people.set_active(SYSTEM, staff, False)
    assert client.get("/accounts/").status_code == 302
    people.set_active(SYSTEM, staff, True)
    assert client.get("/accounts/").status_code == 302


def test_roles_are_read_at_each_request(auditor: User) -> None:
    client = window(auditor)
    assert client.get("/audit/").status_code == 200
    people.set_roles(SYSTEM, auditor, people.Roles())
    assert client.get("/audit/").status_code == 403


def test_an_open_page_is_told_that_its_session_is_gone(staff: User) -> None:
    client = window(staff)
    User.objects.filter(pk=staff.pk).update(is_active=False)
    response = client.get("/notifications/area/", headers=HTMX)
    assert response.status_code == 401
    assert (response["HX-Retarget"], response["HX-Reswap"]) == ("#refusals", "innerHTML show:window:top")
    assert "You are signed out." in text(response)
    assert "<html" not in response.content.decode()
