"""Keys and signatures as a browser makes and sends them."""

import base64
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

SHA256 = ec.ECDSA(hashes.SHA256())


def text(data: bytes) -> str:
    """Bytes as they are sent."""
    return base64.b64encode(data).decode()


def spki(key: Any, point: str = "uncompressed") -> str:
    """The public key as browsers export it; or with a compressed point, which is another text for the same key."""
    if point == "uncompressed":
        der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return text(der)
    short = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    return text(bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + short)


def raw(key: ec.EllipticCurvePrivateKey, message: str) -> bytes:
    """A signature as WebCrypto makes it."""
    r, s = utils.decode_dss_signature(key.sign(message.encode(), SHA256))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
