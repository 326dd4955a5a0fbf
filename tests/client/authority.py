"""The certificates and credential files of a test portal: real keys, signed as docs/protocol.md says."""

import base64
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


def pem_of(key: ec.EllipticCurvePrivateKey) -> str:
    """PKCS#8 text of a private key."""
    plain = serialization.NoEncryption()
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Text of the public half."""
    return key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def stamp(moment: datetime) -> str:
    """A time in the protocol's form."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Issuer:
    """A CA that signs certificates."""

    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    certificate: x509.Certificate = field(init=False)

    def signed_by(self, parent: "Issuer | None", now: datetime) -> "Issuer":
        """Give this CA its certificate; without a parent it is a root."""
        signer, authority = (parent.key, parent.certificate.subject) if parent else (self.key, _name(self.name))
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
        )
        builder = _builder(_name(self.name), authority, self.key.public_key(), now, timedelta(days=3650), signer)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None if not parent else 0), True)
        builder = builder.add_extension(
            x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False), True
        )
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
        self.certificate = builder.sign(signer, hashes.SHA256())
        return self

    def issue(self, public_key: Any, san: x509.GeneralName, use: x509.ObjectIdentifier, **times: Any) -> str:
        """A leaf's PEM, followed by this CA's."""
        now, life = times.get("now") or datetime.now(UTC), times.get("life") or timedelta(days=7)
        builder = _builder(_name("leaf"), self.certificate.subject, public_key, now, life, self.key)
        builder = builder.add_extension(x509.SubjectAlternativeName([san]), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        leaf = builder.sign(self.key, hashes.SHA256())
        return (leaf.public_bytes(PEM) + self.certificate.public_bytes(PEM)).decode()


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: Any, now: datetime, life: timedelta, signer: Any
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=10))
        .not_valid_after(now + life)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
    )


class Authority:
    """A root, the CAs for clients and for the edge, and the key that signs credential files."""

    def __init__(self) -> None:
        now = datetime.now(UTC) - timedelta(days=100)
        self.root = Issuer("Test root").signed_by(None, now)
        self.clients = Issuer("Test clients").signed_by(self.root, now)
        self.edges = Issuer("Test edges").signed_by(self.root, now)
        self.signing_key = _key()
        self.roots = self.root.certificate.public_bytes(PEM).decode()

    def edge(self) -> str:
        """Certificate, chain and key of a server on 127.0.0.1, in one PEM."""
        key = _key()
        san = x509.IPAddress(ip_address("127.0.0.1"))
        return self.edges.issue(key.public_key(), san, Usage.SERVER_AUTH) + pem_of(key)

    def machine(self, csr: str, machine: str, life: timedelta = timedelta(days=7)) -> str:
        """The chain for a machine that asks with a request."""
        public_key = x509.load_pem_x509_csr(csr.encode()).public_key()
        san = x509.UniformResourceIdentifier(f"urn:strongroom:machine:{machine}")
        return self.clients.issue(public_key, san, Usage.CLIENT_AUTH, life=life)

    def credential(
        self, edge_url: str, issued_at: datetime | None = None, key: Any = None, **other: Any
    ) -> dict[str, Any]:
        """The content of a credential file, private key included; `other` replaces fields before signing. With a public
        `key` it is for that one, and the private key in it fits nothing."""
        public = key
        key, issued = _key(), issued_at or datetime.now(UTC)
        san, life = x509.UniformResourceIdentifier("urn:test:credential"), timedelta(hours=48)
        fields: dict[str, Any] = {
            "format": "strongroom-vault-credentials/1",
            "vault": {"id": str(uuid.uuid4()), "name": "Payroll", "subscription": "Default", "region": "Local A"},
            "purpose": "register",
            "portal_url": "http://localhost:8000",
            "edge_url": edge_url,
            "ca_certificates": self.roots,
            "agent_signing_key": public_pem(self.signing_key),
            "certificate": self.clients.issue(
                public or key.public_key(), san, Usage.CLIENT_AUTH, now=issued, life=life
            ),
            "issued_at": stamp(issued),
            "expires_at": stamp(issued + life),
            **other,
        }
        return {**fields, "signature": self.sign(fields), "private_key": pem_of(key)}

    def sign(self, fields: dict[str, Any]) -> str:
        """The signature over fields that hold neither signature nor private key."""
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return base64.b64encode(self.signing_key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))).decode()
