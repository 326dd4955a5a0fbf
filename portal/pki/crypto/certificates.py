"""Certificates: reading them, telling their profiles apart, checking who issued them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from portal.pki.crypto.errors import Unacceptable
from portal.pki.crypto.keys import PublicKey, require_p256

Certificate: TypeAlias = x509.Certificate

# The warning is an exception where warnings are errors, as in the tests.
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, CryptographyDeprecationWarning)
_PURPOSE = re.compile(r"urn:strongroom:(credential|machine):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class Kind(StrEnum):
    """What a client certificate stands for."""

    CREDENTIAL = "credential"
    MACHINE = "machine"


@dataclass(frozen=True)
class Profile:
    """Whose certificate it is: a vault credential's or a machine's, and which."""

    kind: Kind
    id: UUID

    @property
    def urn(self) -> str:
        """The URI in the certificate's subject alternative name."""
        return f"urn:strongroom:{self.kind}:{self.id}"


def read_der(der: bytes) -> Certificate:
    """The certificate in DER, for a P-256 key; nothing else about it is checked but that its serial number is positive,
    as RFC 5280 has it: cryptography only warns of others, and will refuse them one day."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        require_p256(certificate.public_key())
    except Unacceptable:
        raise
    except _UNREADABLE as error:
        raise Unacceptable("It is not a certificate.") from error
    if certificate.serial_number < 1:
        raise Unacceptable("It is not a certificate.")
    return certificate


def read_chain(pem: str) -> list[Certificate]:
    """The certificates in a PEM text, in their order."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise Unacceptable("It holds no certificate.") from error


def pem(*chain: Certificate) -> str:
    """The certificates as concatenated PEM."""
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in chain)


def public_key(certificate: Certificate) -> PublicKey:
    """The certificate's P-256 key."""
    return require_p256(certificate.public_key())


def fingerprint(certificate: Certificate) -> str:
    """SHA-256 of the certificate, lower-case hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def serial(certificate: Certificate) -> str:
    """The serial number, lower-case hexadecimal without leading zeros."""
    return format(certificate.serial_number, "x")


def server_names(certificate: Certificate) -> set[str]:
    """The host names and addresses that a server's certificate is good for."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {
        *names.get_values_for_type(x509.DNSName),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    }


def profile_of(certificate: Certificate) -> Profile:
    """Whose certificate it is, by its one URI name and its usage; raises Unacceptable for any other certificate.

    It says nothing about who issued it: call `require_chain()` first.
    """
    try:
        extensions = certificate.extensions
        names = list(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        usages = list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        is_ca = extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise Unacceptable("The certificate is of no known profile.") from error
    name = names[0] if len(names) == 1 else None
    match = _PURPOSE.fullmatch(name.value) if isinstance(name, x509.UniformResourceIdentifier) else None
    if match is None or is_ca or usages != [ExtendedKeyUsageOID.CLIENT_AUTH]:
        raise Unacceptable("The certificate is of no known profile.")
    return Profile(Kind(match[1]), UUID(match[2]))


def issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether `issuer` is named as the issuer of `certificate` and has signed it; times and usages are not checked."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def require_chain(chain: Sequence[Certificate], *, roots: Sequence[Certificate], at: datetime) -> None:
    """Raise Unacceptable unless chain[0] is a client certificate that leads by the others to one of `roots` at `at`."""
    policy = verification.PolicyBuilder().store(verification.Store(list(roots))).time(at)
    try:
        policy.build_client_verifier().verify(chain[0], list(chain[1:]))
    except (verification.VerificationError, ValueError, UnsupportedAlgorithm) as error:
        raise Unacceptable("The certificate was not issued by this portal.") from error
