"""How the tests of pages and endpoints ask, and what they read in the answer."""

import json
import re
from typing import Any

from django.http import HttpResponse
from django.test import Client

from portal.accounts.models import User

ASKED = {
    "subscription": "Default",
    "name": "Payroll",
    "region": "Local A",
    "redundancy": "geo",
    "reason": "Nightly backups",
}


def window(user: User) -> Client:
    """A browser in which the person is signed in."""
    client = Client()
    client.force_login(user)
    return client


def poll(client: Client, path: str, part: str, tag: str = "") -> HttpResponse:
    """What htmx asks for when it refreshes the part."""
    headers = {"HX-Request": "true", "HX-Target": part, **({"If-None-Match": tag} if tag else {})}
    return client.get(path, headers=headers)  # type: ignore[return-value]


def links(response: Any, beginning: str) -> list[str]:
    """The texts of the links whose id has the beginning, in order."""
    pattern = rf'<a[^>]* id="{beginning}[^"]*"[^>]*>(?:<strong>)?([^<]*)'
    return re.findall(pattern, response.content.decode())


def heading(response: Any) -> str:
    """The text of the page's main heading."""
    found = re.search(r"<h1[^>]*>([^<]*)", response.content.decode())
    return found[1].strip() if found else ""


def text_of(response: Any) -> str:
    """The words of a page or fragment, without markup, each gap one space."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def call(client: Client, method: str, path: str, body: object = None, **headers: str) -> Any:
    """One call of the JSON API."""
    data = json.dumps({} if body is None else body)
    where = f"/api/v1/{path}"
    if method == "GET":
        return client.get(where, headers=headers)
    return client.generic(method, where, data, content_type="application/json", headers=headers)


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    """The problem document, which must have this status and code."""
    assert response["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code), problem
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    return problem
