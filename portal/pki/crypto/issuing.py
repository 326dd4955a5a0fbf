"""CAs and the certificates that they issue.

Each certificate has SAN, AKI, SKI, EKU and KU: `cryptography`'s verifier wants the first two, and takes a leaf
without an extended key usage for good.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from portal.pki.crypto.certificates import Certificate, Profile
from portal.pki.crypto.keys import PrivateKey, PublicKey, new_key

BACKDATE = timedelta(minutes=10)
"""How far `notBefore` lies before the issue, for machines whose clock is slow."""


class Usage(StrEnum):
    """Which side of TLS a certificate is for."""

    CLIENT = "client"
    SERVER = "server"


_USAGE_OIDS = {Usage.CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH, Usage.SERVER: ExtendedKeyUsageOID.SERVER_AUTH}


@dataclass(frozen=True)
class Authority:
    """A CA: its certificate and the key that signs for it."""

    certificate: Certificate
    key: PrivateKey


def new_root(name: str, *, at: datetime, until: datetime) -> Authority:
    """A self-signed CA above issuing CAs, good for both sides of TLS."""
    key = new_key()
    subject = _subject(name)
    builder = _builder(subject, key.public_key(), subject, key.public_key(), at, until)
    builder = _as_ca(builder, name, path_length=1, usages=list(Usage))
    return Authority(builder.sign(key, hashes.SHA256()), key)


def new_issuer(root: Authority, name: str, usage: Usage, *, at: datetime, until: datetime) -> Authority:
    """A CA under `root` that issues certificates for one side of TLS only."""
    key = new_key()
    builder = _builder(_subject(name), key.public_key(), root.certificate.subject, root.key.public_key(), at, until)
    builder = _as_ca(builder, name, path_length=0, usages=[usage])
    return Authority(builder.sign(root.key, hashes.SHA256()), key)


def issue_client(issuer: Authority, key: PublicKey, profile: Profile, *, at: datetime, until: datetime) -> Certificate:
    """A client certificate for the holder of `key`; nothing in it but `key` comes from a request."""
    name: x509.GeneralName = x509.UniformResourceIdentifier(profile.urn)
    return _issue_leaf(issuer, key, f"Strongroom {profile.kind} {profile.id}", [name], Usage.CLIENT, at, until)


def issue_server(
    issuer: Authority, key: PublicKey, names: Sequence[str], *, at: datetime, until: datetime
) -> Certificate:
    """A server certificate for `names`, host names and addresses; the first is its subject."""
    general = [_server_name(name) for name in names]
    return _issue_leaf(issuer, key, names[0], general, Usage.SERVER, at, until)


def _subject(name: str) -> x509.Name:
    # The field holds at most 64 characters; who it is stands in the alternative names, so cutting it loses nothing.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _server_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, key: PublicKey, issuer: x509.Name, issuer_key: PublicKey, at: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - BACKDATE)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _as_ca(
    builder: x509.CertificateBuilder, name: str, *, path_length: int, usages: Sequence[Usage]
) -> x509.CertificateBuilder:
    uri = x509.UniformResourceIdentifier(f"urn:strongroom:ca:{name.lower().replace(' ', '-')}")
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_USAGE_OIDS[usage] for usage in usages]), critical=False)
        .add_extension(x509.SubjectAlternativeName([uri]), critical=False)
    )


def _issue_leaf(
    issuer: Authority,
    key: PublicKey,
    subject: str,
    names: Sequence[x509.GeneralName],
    usage: Usage,
    at: datetime,
    until: datetime,
) -> Certificate:
    builder = _builder(_subject(subject), key, issuer.certificate.subject, issuer.key.public_key(), at, until)
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_USAGE_OIDS[usage]]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(issuer.key, hashes.SHA256())
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
