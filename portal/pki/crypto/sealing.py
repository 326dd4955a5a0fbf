"""Keeping keys on disk: sealed with an authenticated cipher under a secret from the environment."""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portal.pki.crypto.errors import Unacceptable

_SEAL = b"strongroom-seal-1"
_NONCE = 12  # bytes


def seal(secret: str, content: bytes, *, label: str) -> str:
    """`content` encrypted and authenticated under `secret`, as text.

    `label` says what it is, and must be given again to `unseal()`.
    """
    nonce = os.urandom(_NONCE)
    sealed = ChaCha20Poly1305(_seal_key(secret)).encrypt(nonce, content, _SEAL + label.encode())
    return base64.b64encode(nonce + sealed).decode()


def unseal(secret: str, sealed: str, *, label: str) -> bytes:
    """What `seal()` was given; raises Unacceptable for another secret, another label, or a changed text."""
    try:
        raw = base64.b64decode(sealed, validate=True)
        return ChaCha20Poly1305(_seal_key(secret)).decrypt(raw[:_NONCE], raw[_NONCE:], _SEAL + label.encode())
    except (ValueError, InvalidTag) as error:
        raise Unacceptable("It was sealed with another key, or it was changed.") from error


def _seal_key(secret: str) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_SEAL).derive(secret.encode())
