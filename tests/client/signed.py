"""Checking a signed request the way docs/protocol.md says, without joserfc and without the agent's code."""

import base64
import json
import time
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .authority import Authority

LIMIT = 64 * 1024


@dataclass(frozen=True)
class Verified:
    """A request whose signature holds."""

    payload: dict[str, Any]
    certificate: x509.Certificate


def verify(body: bytes, content_type: str | None, url: str, authority: Authority) -> Verified:
    """The request in a compact JWS. AssertionError, which a test sees as a broken connection, if it is not one."""
    assert content_type == "application/jose"
    assert len(body) <= LIMIT
    first, second, third = body.decode("ascii").split(".")
    header, payload = json.loads(_plain(first)), json.loads(_plain(second))
    assert set(header) == {"alg", "x5c"}
    assert header["alg"] == "ES256"
    leaf, issuer = (x509.load_der_x509_certificate(base64.b64decode(each, validate=True)) for each in header["x5c"])
    assert issuer == authority.clients.certificate
    leaf.verify_directly_issued_by(issuer)
    _verify_signature(leaf, f"{first}.{second}".encode(), _plain(third))
    assert payload["aud"] == url
    assert abs(payload["iat"] - time.time()) < 300
    assert isinstance(payload["iat"], int)
    assert len(payload["jti"]) == 36
    return Verified(payload, leaf)


def _verify_signature(leaf: x509.Certificate, text: bytes, raw: bytes) -> None:
    assert len(raw) == 64
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(der, text, ec.ECDSA(hashes.SHA256()))


def _plain(text: str) -> bytes:
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
