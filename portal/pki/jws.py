"""Signed messages of machines: compact JWS whose key comes with its certificate chain, read as strictly as we can.

`read()` says who signed what, no more: whether the certificate is one of ours, and whether it still counts, is for the
caller to find out.
"""

import base64
import json
import re
from dataclasses import dataclass
from typing import NoReturn

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from portal.pki.crypto import certificates, keys
from portal.pki.crypto.certificates import Certificate
from portal.pki.crypto.errors import Unacceptable

MOST_BYTES = 64 * 1024
_HEADER_BYTES = 16 * 1024  # joserfc's own limit of 512 leaves no room for two certificates
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


class Malformed(ValueError):
    """The message is not what the protocol describes; the text says in which way, and quotes nothing of it."""


@dataclass(frozen=True)
class Message:
    """What was signed, and the chain that came with it: the signer's certificate first. The chain is unverified.

    `raw` is the payload as it was signed, byte for byte.
    """

    payload: dict[str, object]
    unverified_chain: tuple[Certificate, ...]
    raw: bytes = b""


def read(body: bytes, typ: str | None = None) -> Message:
    """The message in `body`, whose signature fits the first certificate of its chain; raises Malformed otherwise.

    Its header has exactly this `typ`, or none: what is signed for one purpose is refused for any other.
    """
    if len(body) > MOST_BYTES:
        raise Malformed(f"It has more than {MOST_BYTES // 1024} KiB.")
    match = _COMPACT.fullmatch(body.decode("latin-1"))
    if match is None:
        raise Malformed("It is not a compact JWS.")
    header, payload, signature = (_segment(text) for text in match.groups())
    chain = _chain(_object(header, "header"), typ)
    if len(signature) != 64:
        raise Malformed("Its signature is not one of ES256.")
    _require_signature(match[0], chain[0])
    return Message(_object(payload, "payload"), chain, payload)


def _segment(text: str) -> bytes:
    """The bytes, from their one canonical spelling."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) % 4 != 1 else b""
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise Malformed("It is not in canonical base64url.")
    return raw


def _object(raw: bytes, what: str) -> dict[str, object]:
    """A JSON object without repeated names, NaN, NUL, or text that cannot be stored."""
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_without_repeats, parse_constant=_no_constant)
        plain = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise Malformed(f"Its {what} is not JSON.") from error
    if not isinstance(value, dict):
        raise Malformed(f"Its {what} is not a JSON object.")
    if b"\\u0000" in plain:
        raise Malformed(f"Its {what} holds a character that cannot be stored.")
    return value


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A name occurs twice.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


def _chain(header: dict[str, object], typ: str | None) -> tuple[Certificate, ...]:
    x5c = header.get("x5c")
    wanted = {"alg": "ES256"} | ({"typ": typ} if typ else {})
    if {name: value for name, value in header.items() if name != "x5c"} != wanted or "x5c" not in header:
        raise Malformed(f"Its header is not exactly alg (ES256){f', typ ({typ})' if typ else ''} and x5c.")
    if not isinstance(x5c, list) or len(x5c) != 2:
        raise Malformed("Its x5c is not two certificates.")
    return tuple(_certificate(item) for item in x5c)


def _certificate(item: object) -> Certificate:
    try:
        der = base64.b64decode(str(item), validate=True)
        if base64.b64encode(der).decode() != item:
            raise Malformed("Its x5c is not in canonical base64.")
        return certificates.read_der(der)
    except Unacceptable as error:
        raise Malformed(f"Its x5c cannot be used. {error}") from error
    except ValueError as error:
        raise Malformed("Its x5c is not two certificates.") from error


def _require_signature(compact: str, leaf: Certificate) -> None:
    registry = jws.JWSRegistry(algorithms=["ES256"])
    registry.max_header_length = _HEADER_BYTES
    key = ECKey.import_key(keys.public_pem(certificates.public_key(leaf)))
    try:
        jws.deserialize_compact(compact, key, registry=registry)
    except (JoseError, ValueError) as error:
        raise Malformed("Its signature does not fit its certificate.") from error
