"""Who waits when somebody guesses passwords, and who does not: by name, by address, by browser; and many at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test import Client
from django.utils import timezone

from portal.accounts import authentication, throttle
from portal.accounts.models import SignInFailure, User
from portal.core.admission import Admission, Busy
from portal.core.errors import DomainError, Throttled
from portal.core.networks import network_of
from tests.factories import PASSWORD, person
from tests.portal.pages import sign_in, text, window

pytestmark = pytest.mark.django_db
CROWD = throttle.TRIES_FROM_ADDRESS


def guesses(count: int, *, address: str = "127.0.0.1", seconds: float = 70, username: str = "") -> None:
    """Wrong passwords for as many names, or for one."""
    at = timezone.now() - timedelta(seconds=seconds)
    rows = [SignInFailure(username=username or f"nobody{n}", address=address, at=at) for n in range(count)]
    SignInFailure.objects.bulk_create(rows)


def test_a_stranger_at_an_address_keeps_nobody_else_there_out(staff: User) -> None:
    """As it was found: eight guesses at one name, then at names that nobody has; all through the form."""
    person("victim")
    for _ in range(throttle.TRIES_FOR_NAME):
        sign_in(Client(), "victim", "guess")
    for number in range(CROWD):
        assert sign_in(Client(), f"nobody{number}", "guess").status_code == 200
    client = Client()
    assert sign_in(client, "staff").status_code == 302
    assert get_user(client) == staff
    assert sign_in(Client(), "victim").status_code == 429


@pytest.mark.parametrize("name", ["staff", "nobody"])
def test_at_a_crowded_address_a_name_has_few_tries(name: str, staff: User) -> None:
    """Whether somebody has the name or not."""
    guesses(CROWD)
    answers = [sign_in(Client(), name, "guess").status_code for _ in range(throttle.TRIES_WHEN_CROWDED + 1)]
    assert answers == [200] * throttle.TRIES_WHEN_CROWDED + [429]


@pytest.mark.parametrize("name", ["staff", "nobody"])
def test_at_a_crowded_address_guessing_is_slow(name: str, staff: User) -> None:
    guesses(CROWD)
    guesses(throttle.A_MINUTE_WHEN_CROWDED, seconds=40)
    response = sign_in(Client(), name)
    assert response.status_code == 429
    assert 15 <= int(response["Retry-After"]) <= 20
    assert f"Wait {response['Retry-After']} seconds, then try again." in text(response)
    SignInFailure.objects.update(at=timezone.now() - timedelta(seconds=61))
    assert sign_in(Client(), "staff").status_code == 302


def test_another_address_of_the_same_network_has_no_tries_of_its_own(staff: User) -> None:
    network = network_of("2001:db8::1")
    guesses(CROWD, address=network)
    guesses(throttle.A_MINUTE_WHEN_CROWDED, address=network, seconds=1)
    for last in range(3):
        with pytest.raises(Throttled):
            authentication.check("staff", "guess", address=f"2001:db8::{last:x}:5")


def test_a_browser_that_is_known_is_kept_out_by_nobody_else(staff: User) -> None:
    client = Client()
    sign_in(client, "staff")
    client.post("/accounts/logout/")
    guesses(50, username="staff", address="198.51.100.1", seconds=1)
    guesses(CROWD + throttle.A_MINUTE_WHEN_CROWDED, seconds=1)
    assert sign_in(Client(), "staff").status_code == 429
    assert sign_in(client, "staff").status_code == 302


def test_a_known_browser_is_no_place_to_guess(staff: User) -> None:
    client = Client()
    sign_in(client, "staff")
    client.post("/accounts/logout/")
    answers = [sign_in(client, "staff", "guess").status_code for _ in range(throttle.TRIES_FOR_NAME + 1)]
    assert answers == [200] * throttle.TRIES_FOR_NAME + [429]


def test_several_known_browsers_are_no_way_to_guess_faster(staff: User) -> None:
    """Whoever had the password once may have made as many as they like."""
    browsers = [Client() for _ in range(4)]
    for client in browsers:
        sign_in(client, "staff")
        client.post("/accounts/logout/")
    each = throttle.TRIES_FOR_NAME
    assert each * 3 == throttle.TRIES_IN_BROWSERS
    answers = [sign_in(client, "staff", "guess").status_code for client in browsers for _ in range(each)]
    assert answers == [200] * throttle.TRIES_IN_BROWSERS + [429] * each


def test_a_browser_is_known_no_more_when_the_password_has_changed_elsewhere(staff: User) -> None:
    theirs, own = Client(), Client()
    for client in (theirs, own):
        sign_in(client, "staff")
    assert change_password(own, PASSWORD) == 302
    for client in (theirs, own):
        client.post("/accounts/logout/")
    guesses(50, username="staff", address="198.51.100.1", seconds=1)
    assert sign_in(theirs, "staff", "guess").status_code == 429
    assert sign_in(own, "staff", "a new and better one").status_code == 302


@contextmanager
def all_turns_taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """By strangers who sign in."""
    taken = Admission(1, "Busy.")
    monkeypatch.setattr(authentication, "admission", taken)
    with taken():
        taken._places.acquire()
        yield
        taken._places.release()


def test_whoever_takes_all_turns_has_to_wait_like_others_who_guess(
    staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ever other names, as it was found; and who has to wait takes no turn."""
    most = CROWD + throttle.A_MINUTE_WHEN_CROWDED
    answers = []
    with all_turns_taken(monkeypatch):
        for number in range(most + 1):
            with pytest.raises(DomainError) as refused:
                authentication.check(f"nobody{number}", "guess", address="127.0.0.1")
            answers.append(refused.type)
    assert answers == [Busy] * most + [Throttled]
    assert not SignInFailure.objects.exclude(username=throttle.NOBODY).exists()


def test_turns_that_strangers_take_keep_nobody_out_who_is_known(staff: User, monkeypatch: pytest.MonkeyPatch) -> None:
    known, within = Client(), window(staff)
    sign_in(known, "staff")
    known.post("/accounts/logout/")
    with all_turns_taken(monkeypatch):
        assert sign_in(Client(), "staff").status_code == 503
        assert sign_in(known, "staff").status_code == 302
        assert change_password(within, PASSWORD) == 302


def change_password(client: Client, old: str) -> int:
    """Try to; the status of the answer."""
    new = "a new and better one"
    return client.post("/accounts/password/", {"old": old, "new": new, "again": new}).status_code


def test_guesses_from_elsewhere_keep_nobody_from_confirming_in_their_session(staff: User) -> None:
    client = window(staff)
    guesses(50, username="staff", address="198.51.100.1", seconds=1)
    guesses(CROWD + throttle.A_MINUTE_WHEN_CROWDED, seconds=1)
    assert sign_in(Client(), "staff").status_code == 429
    assert change_password(client, PASSWORD) == 302


def test_several_stolen_sessions_are_no_way_to_guess_faster(staff: User) -> None:
    sessions = [window(staff) for _ in range(4)]
    each = throttle.TRIES_FOR_NAME
    assert each * 3 == throttle.TRIES_IN_SESSIONS
    answers = [change_password(client, "guess") for client in sessions for _ in range(each)]
    assert answers == [422] * throttle.TRIES_IN_SESSIONS + [429] * each
    assert change_password(sessions[3], PASSWORD) == 429


def test_a_browser_is_known_to_its_own_person_alone(staff: User) -> None:
    person("victim")
    client = Client()
    sign_in(client, "staff")
    cookie = client.cookies["known"].value
    client.post("/accounts/logout/")
    guesses(throttle.TRIES_FOR_NAME, username="victim", address="198.51.100.1")
    assert sign_in(client, "victim").status_code == 429
    guesses(throttle.TRIES_FOR_NAME, username="staff", address="198.51.100.1")
    for forged in (cookie[:-1] + ("a" if cookie[-1] != "a" else "b"), "nonsense", ""):
        client.cookies["known"] = forged
        assert sign_in(client, "staff").status_code == 429


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_few_passwords_are_looked_at(staff: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are told to come back; nothing counts as a try, and nobody waits."""
    names = iter([person(f"person{number}").username for number in range(10)])  # one has eight tries
    inside, most, started, release = 0, 0, threading.Semaphore(0), threading.Event()
    encode, lock = MD5PasswordHasher.encode, threading.Lock()

    def slow(self: MD5PasswordHasher, password: str, salt: str) -> str:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        started.release()
        release.wait(10)
        with lock:
            inside -= 1
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", slow)
    monkeypatch.setattr(authentication, "admission", Admission(2, "Busy."))
    answers: list[str] = []

    def come() -> None:
        try:
            authentication.check(next(names), PASSWORD, address="127.0.0.1")
            answers.append("in")
        except Busy as refused:
            answers.append(refused.code)
        finally:
            connection.close()

    crowd = [threading.Thread(target=come) for _ in range(10)]
    for one in crowd:
        one.start()
    assert started.acquire(timeout=10)
    assert started.acquire(timeout=10)
    for _ in range(1000):
        if len(answers) == 6:
            break
        threading.Event().wait(0.01)
    assert answers == ["unavailable"] * 6
    release.set()
    for one in crowd:
        one.join()
    assert (sorted(answers), most) == (["in"] * 4 + ["unavailable"] * 6, 2)
    assert SignInFailure.objects.count() == 0


def test_who_finds_it_busy_keeps_the_form(staff: User, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Admission(1, "Too many people are signing in at the moment.")
    monkeypatch.setattr(authentication, "admission", taken)
    with taken():
        taken._places.acquire()
        response = sign_in(Client(), "staff")
        taken._places.release()
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "Too many people are signing in at the moment. Try again in a few seconds." in text(response)
    assert 'value="staff"' in response.content.decode()
    assert sign_in(Client(), "staff").status_code == 302
