"""P-256 keys and certificates as PEM text."""

import base64

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def generate() -> str:
    """A new private key, PKCS#8 PEM. It is meant never to leave this machine."""
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def load_private(pem: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key in a PEM text. ValueError for anything else."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("the private key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("the private key is not a P-256 key")
    return key


def load_public(pem: str) -> ec.EllipticCurvePublicKey:
    """The P-256 public key in a PEM text. ValueError for anything else."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except UnsupportedAlgorithm as error:
        raise ValueError("the public key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("the public key is not a P-256 key")
    return key


def load_chain(pem: str) -> list[x509.Certificate]:
    """The certificates in a PEM text, leaf first. ValueError if there is none or one is damaged."""
    return x509.load_pem_x509_certificates(pem.encode())


def certificate_request(private_key: str) -> str:
    """A request for a certificate; the portal ignores its subject and decides the name itself."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.sign(load_private(private_key), hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def belongs_to(certificate: x509.Certificate, private_key: str) -> bool:
    """Whether the certificate was issued for this key."""
    return certificate.public_key() == load_private(private_key).public_key()


def as_x5c(chain: list[x509.Certificate]) -> list[str]:
    """A chain in the form of the JOSE header `x5c`: standard base64 of DER."""
    return [base64.b64encode(each.public_bytes(serialization.Encoding.DER)).decode() for each in chain]
