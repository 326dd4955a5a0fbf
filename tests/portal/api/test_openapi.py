"""The OpenAPI description names what each operation refuses."""

from django.test import Client

from portal.accounts.models import User
from portal.api.app import schema
from tests.documented import documented, undocumented
from tests.portal.pages import text, window


def test_every_operation_names_its_refusals() -> None:
    for (_, path), answers in documented().items():
        assert answers[503] == {"unavailable"}
        if "/agent/" not in path:
            assert answers[401] == {"not_signed_in"}
        if "{" in path:
            assert answers[404] == {"not_found"}
        assert "not_allowed" in answers[403] or path.endswith(("/register", "/redeem"))


def test_some_by_name() -> None:
    known = documented()
    assert known["POST", "/api/v1/vault-requests"][409] == {"name_taken", "too_many_open"}
    assert known["POST", "/api/v1/vault-requests/{request_id}/approve"][409] == {"content_changed", "stale_state"}
    assert known["POST", "/api/v1/vault-requests/{request_id}/approve"][403] == {"not_allowed", "own_request"}
    assert known["PATCH", "/api/v1/vaults/{vault_id}"][409] == {"redundancy_locked", "stale_state"}
    assert known["POST", "/api/v1/agent/renew"][429] == {"throttled"}
    assert "credential_used_up" in known["POST", "/api/v1/agent/register"][403]


def test_refusals_are_problem_details() -> None:
    answer = schema()["paths"]["/api/v1/vaults"]["get"]["responses"][401]
    assert answer["content"]["application/problem+json"]["schema"]["allOf"][0] == {
        "$ref": "#/components/schemas/Problem"
    }
    assert schema()["components"]["schemas"]["Problem"]["required"] == ["type", "title", "status", "detail", "code"]
    assert "x-refusals" not in str(schema())


def test_what_is_not_described_is_found(db: None) -> None:
    """The check of all other tests finds something."""
    response = Client().get("/api/v1/vaults")
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/api/v1/vaults"}
    assert undocumented(environ, response) == ""
    response.status_code = 418
    assert "answers 418" in undocumented(environ, response)
    response.status_code = 422
    assert "not_signed_in is not in" in undocumented(environ, response)


def test_the_page_for_people_shows_them(staff: User) -> None:
    page = text(window(staff).get("/api/v1/docs"))
    assert "name_taken" in page
    assert "unless a rule" not in page
