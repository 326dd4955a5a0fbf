"""Pages that say no: what happened and the next step, whole and as fragments, with the status that is meant."""

from collections.abc import Iterator

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from portal.accounts.models import User
from portal.core.errors import Invalid, NotAllowed, StaleState, Unavailable
from portal.web.error_pages import server_error
from tests.portal.pages import HTMX, inline, text, window

ERRORS: dict[str, Exception] = {
    "stale": StaleState("Somebody else was first.", remedy="Look again."),
    "invalid": Invalid({"name": ["The name is <too> long."]}),
    "not-allowed": NotAllowed("Only members may do this."),
    "unavailable": Unavailable("The region does not answer."),
    "denied": PermissionDenied("inner detail"),
    "absent": Http404("inner detail"),
    "broken": RuntimeError("inner detail"),
}


def _raise(request: HttpRequest, name: str) -> HttpResponse:
    raise ERRORS[name]


urlpatterns = [path("raise/<slug:name>/", _raise), path("", include("portal.urls"))]
handler403, handler404 = "portal.web.error_pages.forbidden", "portal.web.error_pages.not_found"
handler500 = "portal.web.error_pages.server_error"
CASES = [
    ("stale", 409, "Somebody else was first. Look again."),
    ("invalid", 422, "The name is &lt;too&gt; long."),
    ("not-allowed", 403, "Only members may do this."),
    ("unavailable", 503, "The region does not answer."),
    ("denied", 403, "You do not have permission to do this."),
    ("absent", 404, "Not found, or you do not have access."),
    ("broken", 500, "The portal failed while preparing this page"),
]


@pytest.fixture(autouse=True)
def raising_views() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.mark.parametrize(("name", "status", "words"), CASES)
def test_as_a_page(name: str, status: int, words: str, staff: User) -> None:
    response = window(staff).get(f"/raise/{name}/")
    assert response.status_code == status
    assert words in text(response)
    assert "inner detail" not in text(response)
    assert "<h1>" in response.content.decode()
    assert inline(response) == []
    assert response["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(("name", "status", "words"), [case for case in CASES if case[0] not in {"broken", "invalid"}])
def test_as_a_fragment(name: str, status: int, words: str, staff: User) -> None:
    response = window(staff).get(f"/raise/{name}/", headers=HTMX)
    assert response.status_code == status
    assert words in text(response)
    assert response["HX-Retarget"] == "#refusals"
    assert "<html" not in response.content.decode()


def test_strangers_get_no_frame_and_no_hint(db: None) -> None:
    response = Client().get("/there-is-no-such-page/")
    assert response.status_code == 404
    assert "Not found, or you do not have access." in text(response)
    assert 'class="side"' not in response.content.decode()


def test_the_page_for_our_mistakes_reads_nothing(staff: User) -> None:
    request = HttpRequest()  # without session and user, as when the database is gone
    assert server_error(request).status_code == 500


def test_every_answer_carries_the_headers(staff: User) -> None:
    for answer in (window(staff).get("/accounts/"), Client().get("/accounts/login/"), Client().get("/accounts/")):
        assert answer["Permissions-Policy"] == "camera=(), geolocation=(), microphone=()"
        assert "private" in answer["Cache-Control"]
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["X-Content-Type-Options"] == "nosniff"
