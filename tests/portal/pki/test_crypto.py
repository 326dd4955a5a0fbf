"""portal.pki.crypto: what comes from outside is read strictly, and nothing but our own certificates passes."""

import warnings
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from portal.pki.crypto import certificates, issuing, keys, sealing
from portal.pki.crypto.certificates import Certificate, Kind, Profile
from portal.pki.crypto.errors import Unacceptable
from portal.pki.crypto.issuing import Authority, Usage

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=2)
PROFILE = Profile(Kind.MACHINE, UUID("11111111-2222-4333-8444-555555555555"))


@pytest.fixture(scope="module")
def root() -> Authority:
    return issuing.new_root("Strongroom root", at=NOW, until=NOW + timedelta(days=3650))


@pytest.fixture(scope="module")
def clients(root: Authority) -> Authority:
    return issuing.new_issuer(root, "Strongroom clients", Usage.CLIENT, at=NOW, until=NOW + timedelta(days=365))


@pytest.fixture(scope="module")
def edge(root: Authority) -> Authority:
    return issuing.new_issuer(root, "Strongroom edge", Usage.SERVER, at=NOW, until=NOW + timedelta(days=365))


@pytest.fixture
def leaf(clients: Authority) -> Certificate:
    return issuing.issue_client(clients, keys.new_key().public_key(), PROFILE, at=NOW, until=LATER)


def test_issued_certificate_says_who_and_what_for(leaf: Certificate) -> None:
    assert certificates.profile_of(leaf) == PROFILE
    assert leaf.not_valid_before_utc == NOW - timedelta(minutes=10)
    assert leaf.not_valid_after_utc == LATER
    assert {extension.oid._name for extension in leaf.extensions} == {
        "subjectKeyIdentifier",
        "authorityKeyIdentifier",
        "basicConstraints",
        "keyUsage",
        "extendedKeyUsage",
        "subjectAltName",
    }


def test_chain_of_ours_is_accepted(root: Authority, clients: Authority, leaf: Certificate) -> None:
    certificates.require_chain([leaf, clients.certificate], roots=[root.certificate], at=NOW)


@pytest.mark.parametrize("at", [NOW - timedelta(minutes=11), LATER + timedelta(seconds=1)])
def test_chain_outside_its_time_is_refused(
    root: Authority, clients: Authority, leaf: Certificate, at: datetime
) -> None:
    with pytest.raises(Unacceptable, match="not issued by this portal"):
        certificates.require_chain([leaf, clients.certificate], roots=[root.certificate], at=at)


def test_chain_to_another_root_is_refused(clients: Authority, leaf: Certificate) -> None:
    stranger = issuing.new_root("Strongroom root", at=NOW, until=NOW + timedelta(days=3650))
    with pytest.raises(Unacceptable):
        certificates.require_chain([leaf, clients.certificate], roots=[stranger.certificate], at=NOW)


def test_chain_without_its_issuer_is_refused(root: Authority, leaf: Certificate) -> None:
    with pytest.raises(Unacceptable):
        certificates.require_chain([leaf], roots=[root.certificate], at=NOW)


def test_servers_certificate_is_no_client(root: Authority, edge: Authority) -> None:
    server = issuing.issue_server(edge, keys.new_key().public_key(), ["localhost", "::1"], at=NOW, until=LATER)
    assert certificates.server_names(server) == {"localhost", "::1"}
    with pytest.raises(Unacceptable):
        certificates.require_chain([server, edge.certificate], roots=[root.certificate], at=NOW)
    with pytest.raises(Unacceptable):
        certificates.profile_of(server)


def test_client_certificate_by_the_edges_authority_is_refused(root: Authority, edge: Authority) -> None:
    stray = issuing.issue_client(edge, keys.new_key().public_key(), PROFILE, at=NOW, until=LATER)
    with pytest.raises(Unacceptable):
        certificates.require_chain([stray, edge.certificate], roots=[root.certificate], at=NOW)


def test_leaf_issues_nothing(root: Authority, clients: Authority) -> None:
    key = keys.new_key()
    machine = issuing.issue_client(clients, key.public_key(), PROFILE, at=NOW, until=LATER)
    forged = issuing.issue_client(
        Authority(machine, key), keys.new_key().public_key(), PROFILE, at=NOW, until=LATER - timedelta(hours=1)
    )
    with pytest.raises(Unacceptable):
        certificates.require_chain(
            [forged, machine, clients.certificate], roots=[root.certificate], at=NOW + timedelta(hours=1)
        )


def uri(value: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(value)


@pytest.mark.parametrize(
    ("names", "usages"),
    [
        ([uri(PROFILE.urn)], []),
        ([uri(PROFILE.urn)], [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
        ([uri(PROFILE.urn)], [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
        ([uri(PROFILE.urn), uri(PROFILE.urn)], [ExtendedKeyUsageOID.CLIENT_AUTH]),
        ([x509.DNSName(PROFILE.urn)], [ExtendedKeyUsageOID.CLIENT_AUTH]),
        ([uri(PROFILE.urn.upper())], [ExtendedKeyUsageOID.CLIENT_AUTH]),
        ([uri(PROFILE.urn + "\n")], [ExtendedKeyUsageOID.CLIENT_AUTH]),
        ([uri("urn:strongroom:ca:clients")], [ExtendedKeyUsageOID.CLIENT_AUTH]),
        ([], [ExtendedKeyUsageOID.CLIENT_AUTH]),
    ],
)
def test_profile_is_never_guessed(names: list[x509.GeneralName], usages: list[x509.ObjectIdentifier]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, PROFILE.urn)])
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 7, NOW, LATER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    with pytest.raises(Unacceptable):
        certificates.profile_of(builder.sign(key, hashes.SHA256()))


def request_by(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> x509.CertificateSigningRequest:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    return x509.CertificateSigningRequestBuilder(subject).sign(key, hashes.SHA256())


def test_request_proves_its_key() -> None:
    key = keys.new_key()
    pem = request_by(key).public_bytes(serialization.Encoding.PEM).decode()
    assert keys.digest(keys.read_request(pem)) == keys.digest(key.public_key())


def test_request_without_proof_is_refused() -> None:
    der = bytearray(request_by(keys.new_key()).public_bytes(serialization.Encoding.DER))
    der[der.index(b"root")] ^= 1
    pem = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(Unacceptable, match="not signed with the key"):
        keys.read_request(pem)


def test_request_whose_signature_leaves_bits_unused_is_refused() -> None:
    """As it was found by a flipped bit: where the last two bits of a signature are zero, they can be called unused."""
    request = request_by(keys.new_key())
    while request.signature[-1] % 4:
        request = request_by(keys.new_key())
    der = bytearray(request.public_bytes(serialization.Encoding.DER))
    der[-len(request.signature) - 1] = 2
    changed = x509.load_der_x509_csr(bytes(der))
    assert changed.is_signature_valid  # as the library sees it
    with pytest.raises(Unacceptable, match="not signed with the key"):
        keys.read_request(changed.public_bytes(serialization.Encoding.PEM).decode())


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(public_exponent=65537, key_size=2048)],
    ids=["P-384", "RSA"],
)
def test_request_for_another_kind_of_key_is_refused(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    pem = request_by(key).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(Unacceptable, match="P-256"):
        keys.read_request(pem)


@pytest.mark.parametrize(
    "text", ["", "x", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"]
)
def test_what_is_not_a_request_is_refused(text: str) -> None:
    with pytest.raises(Unacceptable):
        keys.read_request(text)


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"\x30\x82\xff\xff"])
def test_what_is_not_a_certificate_is_refused(der: bytes) -> None:
    with pytest.raises(Unacceptable):
        certificates.read_der(der)


@pytest.mark.parametrize("warned", ["error", "ignore"])
@pytest.mark.parametrize("first", [0x80, 0xFF])
def test_a_serial_number_that_is_not_positive_is_refused(leaf: Certificate, warned: str, first: int) -> None:
    """Also where cryptography does no more than warn of it."""
    number = leaf.serial_number.to_bytes((leaf.serial_number.bit_length() + 8) // 8, "big")
    der = leaf.public_bytes(serialization.Encoding.DER)
    at = der.index(number)
    with warnings.catch_warnings():
        warnings.simplefilter(warned)  # type: ignore[arg-type]
        with pytest.raises(Unacceptable):
            certificates.read_der(der[:at] + bytes([first]) + der[at + 1 :])


def test_signature_is_of_this_message_by_this_key() -> None:
    key = keys.new_key()
    signature = keys.sign(key, b"message")
    assert keys.signature_fits(key.public_key(), signature, b"message")
    assert not keys.signature_fits(key.public_key(), signature, b"massage")
    assert not keys.signature_fits(keys.new_key().public_key(), signature, b"message")
    assert not keys.signature_fits(key.public_key(), "!", b"message")


def test_sealed_text_opens_with_its_secret_and_label_only() -> None:
    sealed = sealing.seal("secret", b"content", label="root")
    assert sealing.unseal("secret", sealed, label="root") == b"content"
    for secret, text, label in (
        ("other", sealed, "root"),
        ("secret", sealed, "edge"),
        ("secret", sealed[:-8] + "AAAAAAA=", "root"),
        ("secret", "", "root"),
        ("secret", "?", "root"),
    ):
        with pytest.raises(Unacceptable):
            sealing.unseal(secret, text, label=label)
