"""While the database is locked people and programs are told to come back, in the same words."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from portal.accounts.models import User
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
