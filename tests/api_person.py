"""A person who uses the JSON API over the real edge, signed in through the sign-in form."""

import re
from typing import Any

import httpx


class ApiPerson:
    """A session with its CSRF token. Every call carries on when the portal is away for a moment, if told to."""

    def __init__(self, address: str, username: str, password: str) -> None:
        self.client = httpx.Client(base_url=address, timeout=10, follow_redirects=True)
        form = self.client.get("/accounts/login/").raise_for_status().text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert token, "The sign-in page has no CSRF token."
        answer = self.client.post(
            "/accounts/login/",
            data={"username": username, "password": password, "csrfmiddlewaretoken": token[1]},
            headers={"Referer": address},
        )
        assert "sessionid" in self.client.cookies, answer.text

    def close(self) -> None:
        """End the connections."""
        self.client.close()

    def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        """One call below `/api/v1/`; raises httpx.TransportError when the portal does not answer."""
        headers = {"X-CSRFToken": self.client.cookies["csrftoken"], "Referer": str(self.client.base_url)}
        return self.client.request(method, f"/api/v1/{path}", json=body, headers=headers)

    def get(self, path: str) -> Any:
        """The decoded answer of a GET that must succeed."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, path: str, body: object = None, *, status: int = 200) -> Any:
        """The decoded answer of a POST that must end with `status`."""
        answer = self.call("POST", path, {} if body is None else body)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def request_vault(self, name: str, redundancy: str = "geo") -> Any:
        """Ask for a vault in `Default`, `Local A`."""
        asked = {"subscription": "Default", "name": name, "region": "Local A", "redundancy": redundancy}
        return self.post("vault-requests", {**asked, "reason": "A test of the whole flow"}, status=201)
