"""What every answer goes through."""

from io import BytesIO
from typing import Any

import pytest
from django.test import Client

BODY = b"x" * 1_000_000


class HungUp(BytesIO):
    """The body of a client that goes away."""

    def read(self, size: int | None = -1, /) -> bytes:
        """What the server raises then."""
        raise ConnectionResetError


def answered(address: str, content_type: str, body: BytesIO) -> int:
    stranger = Client(enforce_csrf_checks=True)
    stream: dict[str, Any] = {"wsgi.input": body}
    return stranger.generic("POST", address, BODY, content_type, **stream).status_code


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "content_type", "expected"),
    [
        ("/accounts/login/", "application/x-www-form-urlencoded", 403),
        ("/api/v1/agent/register", "application/jose", 403),
        ("/api/v1/agent/register", "text/plain", 422),
        ("/no/such/page/", "text/plain", 404),
    ],
)
def test_the_body_is_taken_in_before_the_answer(address: str, content_type: str, expected: int) -> None:
    """Also where the answer does not depend on it."""
    body = BytesIO(BODY)
    assert answered(address, content_type, body) == expected
    assert body.read() == b""


def test_a_client_that_hangs_up_breaks_nothing() -> None:
    assert answered("/no/such/page/", "text/plain", HungUp()) == 404
