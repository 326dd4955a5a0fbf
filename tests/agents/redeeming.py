"""A machine with a one-time code, as the tests play it."""

from typing import Any

from django.test import Client

from portal.core import digests
from portal.pki.crypto import keys
from portal.pki.crypto.keys import PrivateKey
from tests.agents.peer import request_for
from vaults.credentials.one_time_codes import Shown


def send(body: bytes, *, address: str = "192.0.2.9", kind: str = "application/json") -> Any:
    """Post it as the edge passes it on; the response."""
    return Client().post("/api/v1/agent/redeem", body, content_type=kind, headers={"X-Real-IP": address})


def redeem(shown: Shown, key: PrivateKey, *, address: str = "192.0.2.9", **changes: str) -> Any:
    """The response to a well-formed request, but for the changes."""
    fields = {
        "code": shown.text.replace("-", ""),
        "csr": request_for(key),
        "name": "hr-db-02",
        "vault": str(shown.code.vault_id),
        **changes,
    }
    return send(digests.canonical(fields), address=address)


def with_key(response: Any, key: PrivateKey) -> dict[str, object]:
    """The credential file that the machine makes of it."""
    return {**response.json(), "private_key": keys.private_pem(key)}
