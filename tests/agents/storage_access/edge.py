"""The edge, as it asks the gate about the requests of a machine."""

from typing import Any

from django.conf import settings
from django.test import Client, override_settings

from portal.pki.crypto import certificates
from tests.agents import peer

HASH = "0123456789abcdef" * 4


def decimal(serial: str) -> str:
    """A serial as the edge gives it."""
    return str(int(serial, 16))


class Edge:
    """The edge, as it asks for one client certificate."""

    def __init__(self, serial: str, fingerprint: str) -> None:
        self.serial, self.fingerprint = serial, fingerprint

    @classmethod
    def showing(cls, chain: str) -> "Edge":
        """A connection on which the certificate was shown."""
        leaf = certificates.read_chain(chain)[0]
        return cls(decimal(certificates.serial(leaf)), certificates.fingerprint(leaf))

    def ask(self, uri: str, method: str = "GET", **headers: str) -> int:
        """The status of the answer."""
        sent = {
            "X-Edge-Secret": settings.EDGE_SECRET,
            "X-Client-Serial": self.serial,
            "X-Client-Fingerprint": self.fingerprint,
            "X-Forwarded-Method": method,
            "X-Forwarded-Uri": uri,
            **headers,
        }
        with override_settings(ROOT_URLCONF="agents.gate_urls"):
            status: int = Client().get("/gateway/authorize", headers=sent).status_code
        return status

    def ask_about(self, *asked: tuple[str, str], **headers: str) -> Any:
        """The answer about transfers under way, each of a method and an address."""
        body = [[method, uri, self.serial, self.fingerprint] for method, uri in asked]
        sent = {"X-Edge-Secret": settings.EDGE_SECRET, **headers}
        with override_settings(ROOT_URLCONF="agents.gate_urls"):
            return Client().post("/gateway/transfers", body, content_type="application/json", headers=sent)


def folder(machine: peer.Machine, region: str = "local-a") -> str:
    """The path of the machine's repository."""
    return f"/{region}/{machine.answer['machine']['vault_id']}/{machine.id}/"
