"""Requests signed as compact JWS, as docs/protocol.md of the portal asks."""

import json
import time
import uuid
from dataclasses import dataclass

from joserfc import jws
from joserfc.jwk import ECKey

from . import keys

# joserfc's own limit of 512 bytes leaves no room for two certificates.
_HEADER_LIMIT = 16 * 1024


@dataclass(frozen=True)
class Signer:
    """A private key and the certificate chain that says whose it is, both PEM."""

    private_key: str
    chain: str

    def sign(self, url: str, fields: dict[str, object]) -> str:
        """The body of one request to `url`; each call makes a fresh `jti`, so never send one twice."""
        payload = {**fields, "aud": url, "iat": int(time.time()), "jti": str(uuid.uuid4())}
        return self._signed({}, json.dumps(payload).encode())

    def sign_as(self, kind: str, payload: bytes) -> str:
        """Something that is no request, and says so by its `typ`."""
        return self._signed({"typ": kind}, payload)

    def _signed(self, more: dict[str, object], payload: bytes) -> str:
        header = {"alg": "ES256", **more, "x5c": keys.as_x5c(keys.load_chain(self.chain))}
        registry = jws.JWSRegistry(algorithms=["ES256"])
        registry.max_header_length = _HEADER_LIMIT
        key = ECKey.import_key(self.private_key)
        return jws.serialize_compact(header, payload, key, registry=registry)
