"""A machine as the tests play it: real keys, real requests, messages signed as docs/protocol.md says."""

import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from django.test import Client
from django.utils import timezone

from agents.protocol import authentication
from portal.core.times import rfc3339
from portal.pki.crypto import certificates, keys
from portal.pki.crypto.keys import PrivateKey

PLATFORM = {"os": "Linux", "arch": "x86_64", "release": "Debian 12"}


def request_for(key: PrivateKey) -> str:
    """A certificate request that claims to be somebody else, which nobody heeds."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody else")])
    request = x509.CertificateSigningRequestBuilder(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def x5c(chain_pem: str) -> list[str]:
    """The chain as the JOSE header has it."""
    chain = certificates.read_chain(chain_pem)
    return [base64.b64encode(each.public_bytes(serialization.Encoding.DER)).decode() for each in chain]


@dataclass
class Holder:
    """Somebody with a key and a certificate chain: the holder of a credential, or a machine."""

    key: PrivateKey
    chain: str

    @classmethod
    def of(cls, document: dict[str, object]) -> "Holder":
        """The holder of a credential file."""
        return cls(keys.read_private(str(document["private_key"])), str(document["certificate"]))

    def header(self) -> dict[str, Any]:
        """The protected header of its messages."""
        return {"alg": "ES256", "x5c": x5c(self.chain)}

    def payload(self, what: str, **fields: object) -> dict[str, object]:
        """A fresh payload for the endpoint."""
        return {"aud": authentication.url_of(what), "iat": int(time.time()), "jti": str(uuid.uuid4()), **fields}

    def sign(self, payload: bytes, header: dict[str, Any] | None = None) -> bytes:
        """The message, with our header unless another is given; written by hand, since no library signs nonsense."""
        content = _segment(json.dumps(header or self.header()).encode()) + b"." + _segment(payload)
        r, s = decode_dss_signature(self.key.sign(content, ec.ECDSA(hashes.SHA256())))
        return content + b"." + _segment(r.to_bytes(32) + s.to_bytes(32))


def _segment(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


@cache
def _client() -> Client:
    # One for all: each loads the middleware anew, and these requests leave nothing in it.
    return Client()


def send(what: str, body: bytes, *, address: str = "192.0.2.9") -> Any:
    """Post it to the portal as the edge passes it on."""
    return _client().post(
        f"/api/v1/agent/{what}", body, content_type="application/jose", headers={"X-Real-IP": address}
    )


@dataclass
class Machine:
    """A machine with its own key, before or after its registration."""

    name: str = "hr-db-02"
    key: PrivateKey = field(default_factory=keys.new_key)
    answer: dict[str, Any] = field(default_factory=dict)

    def registration(self, **changes: object) -> dict[str, object]:
        """The fields of its registration."""
        return {
            "name": self.name,
            "csr": request_for(self.key),
            "platform": PLATFORM,
            "agent_version": "1.0.0",
            **changes,
        }

    @property
    def holder(self) -> Holder:
        """The machine as a signer, with its certificate."""
        return Holder(self.key, str(self.answer["certificate"]))

    @property
    def id(self) -> str:
        """The machine's number, once it is registered."""
        return str(self.answer["machine"]["id"])


def say(holder: Holder, what: str, **fields: object) -> Any:
    """Send a fresh message of the holder; the response."""
    return send(what, holder.sign(json.dumps(holder.payload(what, **fields)).encode()))


def register(document: dict[str, object], machine: Machine, **changes: object) -> Any:
    """Register the machine with a credential file; the response."""
    response = say(Holder.of(document), "register", **machine.registration(**changes))
    if response.status_code in {200, 201}:
        machine.answer = response.json()
    return response


def renew(holder: Holder, key: PrivateKey) -> Any:
    """Ask for a certificate to `key`."""
    return say(holder, "renew", csr=request_for(key))


def run_of(kind: str = "backup", *, ended: datetime | None = None, **fields: object) -> dict[str, object]:
    """A report of a run that ended now, or then."""
    ended = ended or timezone.now()
    return {
        "run": str(uuid.uuid4()),
        "kind": kind,
        "outcome": "succeeded",
        "started_at": rfc3339(ended - timedelta(minutes=1)),
        "finished_at": rfc3339(ended),
        **fields,
    }


def report(machine: Machine, fields: dict[str, object]) -> Any:
    """Send the report of a run; the response."""
    return say(machine.holder, "runs", **fields)


def refused(response: Any, status: int, code: str, *, begins: str = "", holds: str = "") -> dict[str, Any]:
    """The problem, after a look at its form; nothing was registered by it."""
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    assert response["Content-Type"] == "application/problem+json"
    assert problem["detail"].startswith(begins)
    assert holds in problem["detail"]
    if code not in {"invalid", "throttled"}:
        assert problem["remedy"]
        assert problem["detail"].endswith(problem["remedy"])
    return problem
