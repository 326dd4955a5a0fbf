"""Windows of people, and what is looked for in pages."""

import re
from html.parser import HTMLParser
from typing import Any

from django.test import Client

from portal.accounts.models import User
from tests.factories import PASSWORD

INLINE = "memberships"
HTMX = {"HX-Request": "true"}


def window(user: User) -> Client:
    """A browser in which the person is signed in; answers with 500 instead of raising."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def sign_in(client: Client, username: str, password: str = PASSWORD, **extra: Any) -> Any:
    """Send the sign-in form."""
    return client.post("/accounts/login/", {"username": username, "password": password, **extra})


def text(response: Any) -> str:
    """The words of the page, without tags, with single spaces."""
    words = re.sub(r"<[^>]*>", " ", response.content.decode())
    return re.sub(r"\s+", " ", words)


class _Inline(HTMLParser):
    """Finds what the policy of the site would block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith(("on", "hx-on")) or (value or "").startswith("javascript:"):
                self.found.append(f"<{tag} {name}>")


def inline(response: Any) -> list[str]:
    """Inline scripts, styles and handlers of a page."""
    parser = _Inline()
    parser.feed(response.content.decode())
    return parser.found


def inlines(*rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """The fields of the memberships below a form."""
    form: dict[str, Any] = {f"{INLINE}-TOTAL_FORMS": len(rows), f"{INLINE}-INITIAL_FORMS": initial}
    for number, row in enumerate(rows):
        form |= {f"{INLINE}-{number}-{name}": value for name, value in row.items()}
    return form
