"""Signatures that somebody outside of this portal has made with an Ed25519 key; it makes none itself."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from portal.pki.crypto.errors import Unacceptable


def require_signature(public_key: bytes, signature: bytes, content: bytes) -> None:
    """Raise Unacceptable unless the key (32 bytes) has signed exactly this."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, content)
    except (InvalidSignature, ValueError) as error:
        raise Unacceptable("The signature does not fit.") from error
