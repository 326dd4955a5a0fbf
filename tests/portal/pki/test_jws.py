"""portal.pki.jws: one way to write a message, and no other."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from joserfc.jwk import ECKey

from portal.pki import jws
from portal.pki.crypto import certificates, issuing, keys
from portal.pki.crypto.certificates import Certificate, Kind, Profile
from portal.pki.crypto.issuing import Usage
from tests.agents.peer import Holder, x5c

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture(scope="module")
def holder() -> Holder:
    root = issuing.new_root("root", at=NOW, until=NOW + timedelta(days=9))
    clients = issuing.new_issuer(root, "clients", Usage.CLIENT, at=NOW, until=NOW + timedelta(days=9))
    key = keys.new_key()
    profile = Profile(Kind.MACHINE, uuid4())
    leaf = issuing.issue_client(clients, key.public_key(), profile, at=NOW, until=NOW + timedelta(days=7))
    return Holder(key, certificates.pem(leaf, clients.certificate))


def chain_of(holder: Holder) -> list[Certificate]:
    return certificates.read_chain(holder.chain)


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_message_of_a_holder_is_read(holder: Holder) -> None:
    message = jws.read(holder.sign(b'{"a": "\\u00fc"}'))
    assert message.payload == {"a": "ü"}
    assert list(message.unverified_chain) == chain_of(holder)


def changed(holder: Holder, **changes: Any) -> dict[str, Any]:
    """The header with these changes; a value of None takes the name out."""
    return {name: value for name, value in {**holder.header(), **changes}.items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {"x5c": None},
        {"x5c": []},
        {"x5c": "text"},
        {"x5c": ["", ""]},
        {"x5c": [1, 2]},
        {"x5c": ["AAAA", "AAAA"]},
        {"kid": "1"},
        {"typ": "JWT"},
        {"jwk": {"kty": "EC"}},
        {"jku": "https://attacker.example/"},
        {"x5u": "https://attacker.example/"},
        {"x5t": "AAAA"},
        {"cty": "JWT"},
    ],
)
def test_other_headers_are_refused(holder: Holder, changes: dict[str, Any]) -> None:
    with pytest.raises(jws.Malformed):
        jws.read(holder.sign(b"{}", changed(holder, **changes)))


@pytest.mark.parametrize("extra", [{"b64": False, "crit": ["b64"]}, {"crit": ["exp"]}, {"crit": []}, {"zip": "DEF"}])
def test_extensions_are_refused(holder: Holder, extra: dict[str, Any]) -> None:
    _, payload, signature = holder.sign(b"{}").decode().split(".")
    with pytest.raises(jws.Malformed, match="not exactly alg"):
        jws.read(f"{encoded(changed(holder, **extra))}.{payload}.{signature}".encode())


def test_one_or_three_certificates_are_refused(holder: Holder) -> None:
    chain = x5c(holder.chain)
    for wrong in (chain[:1], [*chain, chain[1]]):
        with pytest.raises(jws.Malformed, match="not two certificates"):
            jws.read(holder.sign(b"{}", changed(holder, x5c=wrong)))


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS256", "ES384", "ES512", "es256", "", 7])
def test_other_algorithms_are_refused(holder: Holder, algorithm: object) -> None:
    _, payload, signature = holder.sign(b"{}").decode().split(".")
    for end in ("", signature):
        with pytest.raises(jws.Malformed):
            jws.read(f"{encoded(changed(holder, alg=algorithm))}.{payload}.{end}".encode())


def test_public_key_as_an_hmac_secret_is_refused(holder: Holder) -> None:
    content = f"{encoded(changed(holder, alg='HS256'))}.{encoded({})}"
    mac = hmac.digest(keys.public_pem(holder.key.public_key()).encode(), content.encode(), "sha256")
    with pytest.raises(jws.Malformed):
        jws.read(f"{content}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}".encode())


def test_signature_by_another_key_is_refused(holder: Holder) -> None:
    other = Holder(keys.new_key(), holder.chain)
    with pytest.raises(jws.Malformed, match="does not fit its certificate"):
        jws.read(other.sign(b"{}"))


def test_signature_by_the_second_certificates_key_is_refused(holder: Holder) -> None:
    leaf, issuer = x5c(holder.chain)
    with pytest.raises(jws.Malformed):
        jws.read(holder.sign(b"{}", changed(holder, x5c=[issuer, leaf])))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b'"text"',
        b"1",
        b"null",
        b"{",
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\\ud800"}',
        b'{"a":"\\u0000"}',
        b'{"\\u0000":1}',
        b"\xff",
        b'{"a":"\xff"}',
        b"[" * 20000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)
def test_payloads_that_are_no_clean_object_are_refused(holder: Holder, payload: bytes) -> None:
    with pytest.raises(jws.Malformed):
        jws.read(holder.sign(payload))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text + "=",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text + ".",
        lambda text: text + ".e30",
        lambda text: text.rsplit(".", 1)[0],
        lambda text: text.rsplit(".", 1)[0] + ".",
        lambda text: text.replace(".", "..", 1),
        lambda text: "." + text.split(".", 1)[1],
        lambda text: text.replace(".", ". ", 1),
        lambda text: text.replace(".", "=.", 1),
        lambda text: text.replace("_", "/").replace("-", "+") + "/",
        lambda text: text + "AAAA",
        lambda text: json.dumps({"protected": text.split(".")[0], "payload": text.split(".")[1]}),
        lambda text: "\ufeff" + text,
    ],
)
def test_other_spellings_are_refused(holder: Holder, change: Any) -> None:
    text = holder.sign(b'{"a": 1}').decode()
    with pytest.raises(jws.Malformed):
        jws.read(change(text).encode())


def test_last_character_has_one_spelling(holder: Holder) -> None:
    """64 bytes leave four bits of the last character unused: only zeros there are canonical."""
    text = holder.sign(b"{}").decode()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    with pytest.raises(jws.Malformed, match="canonical"):
        jws.read((text[:-1] + alphabet[alphabet.index(text[-1]) + 1]).encode())


def test_malleable_twin_of_a_signature_is_the_same_message(holder: Holder) -> None:
    """(r, n-s) verifies wherever (r, s) does: why what may happen once hangs on the `jti`, never on these bytes."""
    body = holder.sign(b'{"jti": "x"}').decode()
    head, signature = body.rsplit(".", 1)
    raw = base64.urlsafe_b64decode(signature + "==")
    twin = raw[:32] + (ORDER - int.from_bytes(raw[32:])).to_bytes(32)
    again = jws.read(f"{head}.{base64.urlsafe_b64encode(twin).rstrip(b'=').decode()}".encode())
    assert again.payload == jws.read(body.encode()).payload


def test_more_than_64_kib_are_refused(holder: Holder) -> None:
    body = holder.sign(json.dumps({"a": "x" * 60_000}).encode())
    with pytest.raises(jws.Malformed, match="more than 64 KiB"):
        jws.read(body)


def test_certificate_for_another_kind_of_key_is_refused(holder: Holder) -> None:
    key = ECKey.generate_key("P-384")
    with pytest.raises(jws.Malformed):
        jws.read(holder.sign(b"{}", changed(holder, x5c=[base64.b64encode(key.as_der(private=False)).decode()] * 2)))
