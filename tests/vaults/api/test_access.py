"""Who may call the JSON API at all, and how it describes itself."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from portal.accounts.models import ApiToken, User
from tests.vaults.pages import ASKED, call, refused, window
from vaults.models import Vault, VaultRequest

MakeToken = Callable[..., str]


@pytest.fixture
def token(staff: User) -> MakeToken:
    """Makes a token of staff, good for an hour, and gives its secret."""

    def make(scope: str = "full", **columns: Any) -> str:
        secret = f"secret-{ApiToken.objects.count()}"
        values = {"expires_at": timezone.now() + timedelta(hours=1), "user": staff, **columns}
        digest = hashlib.sha256(secret.encode()).hexdigest()
        ApiToken.objects.create(name="script", digest=digest, scope=scope, **values)
        return secret

    return make


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_a_token_does_what_its_person_may_do(token: MakeToken, regions: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    response = call(client, "POST", "vault-requests", ASKED, **bearer(token()))
    assert response.status_code == 201
    assert VaultRequest.objects.get().requested_by.username == "staff"


def test_a_token_that_may_only_read_reads(token: MakeToken, vault: Vault) -> None:
    secret = token("read")
    assert call(Client(), "GET", f"vaults/{vault.pk}", **bearer(secret)).status_code == 200
    for method, path, body in (
        ("POST", "vault-requests", ASKED),
        ("PATCH", f"vaults/{vault.pk}", {"redundancy": "local"}),
        ("PATCH", f"vaults/{vault.pk}/retention", {"keep_within_days": 60}),
        ("POST", f"vaults/{vault.pk}/credentials", {}),
        ("POST", f"vaults/{vault.pk}/retry", {}),
    ):
        refused(call(Client(), method, path, body, **bearer(secret)), 403, "not_allowed")


@pytest.mark.parametrize(
    "columns",
    [{"expires_at": timezone.now() - timedelta(seconds=1)}, {"revoked_at": timezone.now()}],
)
def test_a_token_that_has_ended_opens_nothing(columns: dict[str, Any], token: MakeToken, vault: Vault) -> None:
    refused(call(Client(), "GET", "vaults", **bearer(token(**columns))), 401, "not_signed_in")


def test_a_token_of_somebody_who_left_opens_nothing(token: MakeToken, staff: User) -> None:
    secret = token()
    User.objects.filter(pk=staff.pk).update(is_active=False)
    refused(call(Client(), "GET", "vaults", **bearer(secret)), 401, "not_signed_in")


@pytest.mark.parametrize("secret", ["", "x", "ä", "\0", "x" * 5000])
def test_a_wrong_token_is_not_made_good_by_a_session(secret: str, staff: User) -> None:
    refused(call(window(staff), "GET", "vaults", **bearer(secret)), 401, "not_signed_in")


def test_a_session_needs_the_csrf_header_to_change(staff: User, vault: Vault, regions: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)
    assert call(client, "GET", "vaults").status_code == 200
    problem = refused(call(client, "POST", "vault-requests", ASKED), 403, "not_allowed")
    assert "X-CSRFToken" in problem["remedy"]
    client.get("/vaults/new/")
    token = client.cookies["csrftoken"].value
    assert call(client, "POST", "vault-requests", ASKED, **{"X-CSRFToken": token}).status_code == 201


@pytest.mark.parametrize("path", ["nothing", "vaults/x", "vault-requests/1", "vaults/", "vaults/x/y/z"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "PUT"])
def test_paths_that_do_not_exist_are_problem_documents(method: str, path: str, staff: User) -> None:
    refused(call(window(staff), method, path), 404, "not_found")


def test_the_description_is_for_those_who_may_use_it(staff: User, token: MakeToken) -> None:
    refused(call(Client(), "GET", "openapi.json"), 401, "not_signed_in")
    for answer in (
        call(window(staff), "GET", "openapi.json"),
        call(Client(), "GET", "openapi.json", **bearer(token("read"))),
    ):
        paths = answer.json()["paths"]
        assert {"get", "patch"} == set(paths["/api/v1/vaults/{vault_id}"])
        assert {"get", "post"} == set(paths["/api/v1/vault-requests"])
        assert not [path for path in paths if "unknown" in path]


def test_the_docs_are_a_page_of_ours_for_people_who_are_signed_in(staff: User) -> None:
    stranger = Client().get("/api/v1/docs")
    assert (stranger.status_code, stranger["Location"].startswith("/accounts/login/")) == (302, True)
    page = window(staff).get("/api/v1/docs").content.decode()
    for path in ("/api/v1/vault-requests", "/api/v1/vaults/{vault_id}/credentials"):
        assert f"<code>{path}</code>" in page
    assert "<style" not in page
    assert "//cdn" not in page


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "vault-requests", "GET, POST"),
        ("PUT", "vaults", "GET"),
        ("GET", "agent/register", "POST"),
        ("OPTIONS", "vaults", "GET"),
    ],
)
def test_methods_that_an_address_does_not_have(method: str, path: str, allowed: str, staff: User) -> None:
    response = window(staff).generic(method, f"/api/v1/{path}")
    refused(response, 405, "method_not_allowed")
    assert (response["Content-Type"], response["Allow"]) == ("application/problem+json", allowed)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "vaults"), ("POST", "vault-requests"), ("GET", "audit-events"), ("GET", "no-such")]
)
def test_a_database_that_is_away_is_told_as_such(
    method: str, path: str, token: MakeToken, staff: User, regions: Any
) -> None:
    """To sessions and tokens, wherever it is missed first; with a pause that fits."""
    secret, person = token(), window(staff)
    for client, headers in ((person, {}), (Client(), bearer(secret))):
        with connection.execute_wrapper(away):
            response = call(client, method, path, ASKED, **headers)
        refused(response, 503, "unavailable")
        assert response["Content-Type"] == "application/problem+json"
    with connection.execute_wrapper(away_for("vaults_vault")):
        refused(call(person, "GET", "vaults"), 503, "unavailable")


def away(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    raise OperationalError("could not connect to server")


def away_for(table: str) -> Callable[..., Any]:
    """Gone after the person is known, when the table is asked."""

    def execute_or_fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if table in sql:
            raise OperationalError("database is locked")
        return execute(sql, params, many, context)

    return execute_or_fail


@pytest.mark.parametrize(
    ("headers", "remedy"),
    [
        ({}, "Sign in, or send an API token."),
        ({"X-CSRFToken": "x"}, "Sign in again, then repeat this."),
        ({"Authorization": "Bearer x", "X-CSRFToken": "x"}, "Create a new one on the API tokens page."),
    ],
)
def test_whoever_is_not_signed_in_is_told_what_helps_them(db: None, headers: dict[str, str], remedy: str) -> None:
    """A page of ours, whose session has ended, needs no token."""
    answer = Client().get("/api/v1/vaults", headers=headers)
    assert (answer.status_code, answer.json()["remedy"].startswith(remedy)) == (401, True), answer.json()
