"""While the database is locked people and programs are told to come back, in the same words, and no log is flooded."""

import logging
import sys
from collections.abc import Iterator

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from portal.accounts.models import User
from portal.config.logs import LONGEST, Brief
from tests.portal.pages import HTMX, sign_in, text, window

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = "The portal is temporarily unavailable. Try again in a minute."
TABLES = "accounts_signinfailure, django_session, audit_auditevent, audit_refusalcounter"


def _remember(request: HttpRequest) -> HttpResponse:
    request.session["something"] = "new"
    return HttpResponse("done")


urlpatterns = [path("remember/", _remember), path("", include("portal.urls"))]
handler400, handler500 = "portal.web.error_pages.bad_request", "portal.web.error_pages.server_error"


@pytest.fixture
def locked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Another program holds what everybody writes to, and nobody here waits for it for long."""
    request.getfixturevalue("staff")
    other = connection.copy()
    mine, theirs = connection.cursor(), other.cursor()
    if connection.vendor == "sqlite":
        mine.execute("PRAGMA busy_timeout=20")
        theirs.execute("BEGIN IMMEDIATE")
    else:
        mine.execute("SET lock_timeout='50ms'")
        theirs.execute("BEGIN")
        theirs.execute(f"LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE")
    yield
    theirs.execute("ROLLBACK")
    other.close()
    connection.close()


def test_signing_in(locked: None) -> None:
    response = sign_in(Client(raise_request_exception=False), "staff")
    assert (response.status_code, response["Retry-After"]) == (503, "30")
    assert WORDS in text(response)
    assert "OperationalError" not in text(response)


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
def test_a_form_of_somebody_who_is_signed_in(
    headers: dict[str, str], staff: User, request: pytest.FixtureRequest
) -> None:
    client = window(staff)
    request.getfixturevalue("locked")
    response = client.post(
        "/accounts/password/",
        {"old": "a", "new": "another quite good one", "again": "another quite good one"},
        headers=headers,
    )
    # PostgreSQL's lock keeps the session from being read, too: the same answer from another place.
    assert (response.status_code, response["Retry-After"]) == (503, "30")
    assert WORDS in text(response)
    assert ("<html" in response.content.decode()) is (headers == {})


def test_a_session_that_cannot_be_saved(staff: User, request: pytest.FixtureRequest) -> None:
    """Outside of any view, where Django says that the session was deleted meanwhile."""
    client = window(staff)
    request.getfixturevalue("locked")
    with override_settings(ROOT_URLCONF=__name__):
        response = client.get("/remember/")
    assert response.status_code == 503
    assert WORDS in text(response)


def test_the_api_says_the_same(staff: User, request: pytest.FixtureRequest) -> None:
    client = window(staff)
    request.getfixturevalue("locked")
    response = client.post("/api/v1/agent/register", b"nonsense", content_type="application/jose")
    assert (response.status_code, response["Retry-After"]) == (503, "30")
    assert response.json()["detail"] == WORDS


def test_a_wrong_host_is_one_short_line_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    handler = logging.StreamHandler()
    handler.addFilter(Brief())
    logger = logging.getLogger("django.security.DisallowedHost")
    logger.addHandler(handler)
    try:
        response = Client(raise_request_exception=False).get("/", headers={"Host": "a" * 4000 + ".example"})
    finally:
        logger.removeHandler(handler)
    assert response.status_code == 400
    lines = [line for line in capfd.readouterr().err.splitlines() if "Invalid HTTP_HOST" in line or "Traceback" in line]
    assert all(len(line) <= LONGEST + 100 for line in lines)
    assert [line for line in lines if "Traceback" in line] == []
    assert lines


@pytest.mark.parametrize("path", ["/" + "B" * 30_000, "/api/v1/" + "B" * 30_000])
def test_a_stranger_cannot_roll_the_log_over_with_long_addresses(client: Client, path: str) -> None:
    """As it was found: 30 KB a line."""
    record = logging.LogRecord("django.request", logging.WARNING, __file__, 1, "Not Found: %s", (path,), None)
    assert Brief().filter(record)
    assert len(record.getMessage()) == LONGEST


def test_mistakes_of_ours_keep_their_tracebacks() -> None:
    try:
        raise ValueError("a mistake")
    except ValueError:
        record = logging.LogRecord("django.request", logging.ERROR, __file__, 1, "x" * 500, (), sys.exc_info())
    assert Brief().filter(record)
    assert (record.exc_info is None, len(record.getMessage())) == (False, 500)
