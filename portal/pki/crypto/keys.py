"""Keys, requests for certificates, and plain signatures."""

import base64
import hashlib
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from portal.pki.crypto.errors import Unacceptable

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey

_EC_SHA256 = ec.ECDSA(hashes.SHA256())
_COORDINATE = 32  # bytes of each half of a raw P-256 signature


def new_key() -> PrivateKey:
    """A fresh key, in memory."""
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: PrivateKey) -> str:
    """The key as unencrypted PKCS#8: store it sealed, or hand it out once."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def read_private(pem: str) -> PrivateKey:
    """The key in an unencrypted PEM text."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Unacceptable("It is not a private key.") from error
    if not isinstance(key, PrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Unacceptable("The key is not a P-256 key.")
    return key


def public_pem(key: PublicKey) -> str:
    """The public key as PEM."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def read_public(text: str) -> PublicKey:
    """The P-256 key that is SPKI, DER in standard base64; raises Unacceptable, also for any but the canonical form."""
    try:
        key = require_p256(serialization.load_der_public_key(base64.b64decode(text, validate=True)))
    except Unacceptable:
        raise
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Unacceptable("It is not a public key.") from error
    if base64.b64encode(_spki(key)).decode() != text:
        raise Unacceptable("The public key is not in its canonical form.")
    return key


def digest(key: PublicKey) -> str:
    """SHA-256 of the public key (SPKI), lower-case hexadecimal."""
    return hashlib.sha256(_spki(key)).hexdigest()


def sign(key: PrivateKey, message: bytes) -> str:
    """The signature of `message`, DER in standard base64."""
    return base64.b64encode(key.sign(message, _EC_SHA256)).decode()


def sign_digest(key: PrivateKey, sha256: bytes) -> bytes:
    """The signature, in DER, of the content that has this SHA-256: for files too large to be read whole."""
    return key.sign(sha256, ec.ECDSA(Prehashed(hashes.SHA256())))


def signature_fits(key: PublicKey, signature: str, message: bytes) -> bool:
    """Whether `signature`, as `sign()` gives it, is of `message` by `key`."""
    try:
        key.verify(base64.b64decode(signature, validate=True), message, _EC_SHA256)
    except (ValueError, InvalidSignature):
        return False
    return True


def raw_signature_fits(key: PublicKey, signature: str, message: bytes) -> bool:
    """The same for a signature in raw form: r‖s, 64 bytes in standard base64, as WebCrypto gives it."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except ValueError:
        return False
    if len(raw) != 2 * _COORDINATE:
        return False
    halves = (int.from_bytes(half, "big") for half in (raw[:_COORDINATE], raw[_COORDINATE:]))
    return signature_fits(key, base64.b64encode(encode_dss_signature(*halves)).decode(), message)


def read_request(pem: str) -> PublicKey:
    """The key that a certificate request proves to hold; its subject and extensions are ignored."""
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = require_p256(request.public_key())
        holds_key = request.is_signature_valid and _signature_is_whole_bytes(request)
    except Unacceptable:
        raise
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise Unacceptable("It is not a certificate request.") from error
    if not holds_key:
        raise Unacceptable("The request is not signed with the key that it is for.")
    return key


def _signature_is_whole_bytes(request: x509.CertificateSigningRequest) -> bool:
    """Whether the BIT STRING with the signature says that no bit of its last byte is unused. `cryptography` overlooks
    how many are, so that one request would have several forms (X.690, 8.6.2).
    """
    return request.public_bytes(serialization.Encoding.DER)[-len(request.signature) - 1] == 0


def require_p256(key: object) -> PublicKey:
    """The key, when it is P-256."""
    if not isinstance(key, PublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Unacceptable("The key is not a P-256 key.")
    return key


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
