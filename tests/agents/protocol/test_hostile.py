"""Mutated registrations: none is accepted, none makes a 500, each gets a code of the contract.

500 different ones in every run, 10,000 in the long one; what parses to the original does not count.
"""

import base64
import json
import re
import unicodedata
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import transaction
from hypothesis import assume, given
from hypothesis import strategies as st

from agents.models import Machine
from portal.pki.crypto import certificates
from tests.agents import hostile, peer
from tests.agents.hostile import Count, at_least, changed_bytes, changed_field
from tests.agents.peer import register

CODES = {"credential_invalid": 403, "clock_skew": 400, "invalid": 422}


@pytest.fixture
def holder(issue: Callable[..., dict[str, object]]) -> peer.Holder:
    """The holder of a credential with places enough for every mistake that this could find."""
    return peer.Holder.of(issue(machines=500))


@pytest.fixture
def fields(holder: peer.Holder) -> dict[str, Any]:
    """The payload of a registration that is not sent: nothing that is made of it must be accepted either."""
    return holder.payload("register", **peer.Machine().registration())


@pytest.fixture(autouse=True)
def keep_refusals_out_of_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals are written in a transaction of their own, which a case that rolls back has no room for."""
    monkeypatch.setattr("agents.protocol.refusal_log.refusal", lambda *args, **kwargs: None)


def refuses(body: bytes) -> str:
    """Send it; the code of the refusal, after a look at it. What it wrote is rolled back, so cases stay alone."""
    with transaction.atomic():
        response = peer.send("register", body)
        assert response["Content-Type"] == "application/problem+json", (response.status_code, response.content)
        code: str = response.json()["code"]
        assert CODES.get(code) == response.status_code, response.content
        assert not Machine.objects.exists()
        transaction.set_rollback(True)
    return code


def test_changes_in_transit(holder: peer.Holder, fields: dict[str, Any]) -> None:
    """Header, payload or signature changed by somebody without the key: nothing else can be wrong than the whole."""
    original, count = hostile.segments(holder.sign(json.dumps(fields).encode())), Count()

    @at_least(150)
    @given(data=st.data())
    def try_one(data: st.DataObject) -> None:
        pieces, which = list(original), data.draw(st.integers(0, 2))
        if which < 2 and data.draw(st.booleans()):
            changed = changed_field(data, json.loads(pieces[which]))
            pieces[which] = json.dumps(changed).encode()
        else:
            pieces[which] = changed_bytes(data, pieces[which])
        assume(hostile.parsed(pieces[which]) != hostile.parsed(original[which]))
        count.add(which, hostile.parsed(pieces[which]))
        assert refuses(hostile.compact(*pieces)) == "credential_invalid"

    try_one()
    count.require(150)


def test_changes_under_a_good_signature(holder: peer.Holder, fields: dict[str, Any]) -> None:
    """As a program that holds a real credential could send them."""
    count = Count()

    @at_least(150)
    @given(data=st.data())
    def try_one(data: st.DataObject) -> None:
        changed = changed_field(data, fields)
        assume(not well_formed(changed, fields))
        count.add(changed)
        refuses(holder.sign(json.dumps(changed).encode()))

    try_one()
    count.require(150)


def well_formed(changed: dict[str, Any], fields: dict[str, Any]) -> bool:
    """Whether it is another registration that has nothing wrong with it, told without the portal's code."""
    known = {name: changed.get(name) for name in fields}
    if known["aud"] != fields["aud"] or _request(known["csr"]) != _request(fields["csr"]):
        return False
    name, iat, platform = known["name"], known["iat"], known["platform"]
    return (
        isinstance(name, str)
        and bool(re.fullmatch(r"[A-Za-z0-9.-]{1,63}", name))
        and type(iat) is int
        and abs(iat - fields["iat"]) < 290
        and _is_uuid(known["jti"])
        and isinstance(platform, dict)
        and all(_is_text(platform.get(part), 64) for part in peer.PLATFORM)
        and _is_text(known["agent_version"], 32)
    )


def _request(text: object) -> object:
    """What the text is as a request: parsers of PEM look past what stands around it, and past some line ends."""
    try:
        return x509.load_pem_x509_csr(str(text).encode("utf-8", "replace")).public_bytes(Encoding.DER)
    except (ValueError, x509.InvalidVersion):
        return None


def _is_text(value: object, most: int) -> bool:
    odd = {"Cc", "Cf", "Zl", "Zp"}
    return isinstance(value, str) and len(value) <= most and not {unicodedata.category(one) for one in value} & odd


def _is_uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False


def test_changed_certificates_under_a_good_signature(holder: peer.Holder, fields: dict[str, Any]) -> None:
    """The header is changed and signed anew: a certificate that differs in one bit is none of ours."""
    count, payload = Count(), json.dumps(fields).encode()
    chain = [one.public_bytes(Encoding.DER) for one in certificates.read_chain(holder.chain)]

    @at_least(75)
    @given(data=st.data())
    def try_one(data: st.DataObject) -> None:
        which = data.draw(st.integers(0, 1))
        changed = list(chain)
        changed[which] = changed_bytes(data, chain[which])
        assume(changed[which] != chain[which])
        count.add(which, changed[which])
        header = {"alg": "ES256", "x5c": [base64.b64encode(one).decode() for one in changed]}
        assert refuses(holder.sign(payload, header)) == "credential_invalid"

    try_one()
    count.require(75)


def test_changed_certificate_requests_under_a_good_signature(holder: peer.Holder, fields: dict[str, Any]) -> None:
    """The request proves that its key is held: whatever is changed in it, the proof no longer fits."""
    count = Count()
    request = base64.b64decode("".join(fields["csr"].splitlines()[1:-1]))

    @at_least(75)
    @given(data=st.data())
    def try_one(data: st.DataObject) -> None:
        changed = changed_bytes(data, request)
        assume(changed != request)
        count.add(changed)
        text = base64.encodebytes(changed).decode()
        csr = f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"
        assert refuses(holder.sign(json.dumps({**fields, "csr": csr}).encode())) == "invalid"

    try_one()
    count.require(75)


def test_a_request_of_another_version(holder: peer.Holder, fields: dict[str, Any]) -> None:
    """There is one version of requests; for another one the parser raises what it raises for nothing else."""
    request = bytearray(base64.b64decode("".join(fields["csr"].splitlines()[1:-1])))
    request[request.index(b"\x02\x01\x00") + 2] = 1
    text = base64.encodebytes(request).decode()
    csr = f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"
    assert refuses(holder.sign(json.dumps({**fields, "csr": csr}).encode())) == "invalid"


@pytest.mark.usefixtures("db")
def test_junk() -> None:
    """Bytes and texts that never were a message."""
    count = Count()

    @at_least(50)
    @given(body=st.binary(min_size=1, max_size=300) | st.text(min_size=1, max_size=300).map(_utf8))
    def try_one(body: bytes) -> None:
        count.add(body)
        assert refuses(body) == "credential_invalid"

    try_one()
    count.require(50)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[2J", "evil\u202etxt", "a\u2028b"])
def test_texts_that_would_show_as_something_else(holder: peer.Holder, fields: dict[str, Any], text: str) -> None:
    """What a machine says of itself is shown to people, so it is one line that reads from left to right."""
    for changed in ({"agent_version": text}, {"platform": {**peer.PLATFORM, "release": text}}):
        assert refuses(holder.sign(json.dumps({**fields, **changed}).encode())) == "invalid"


@pytest.mark.parametrize("what", ["renew", "runs", "heartbeat", "unregister"])
def test_credential_opens_nothing_else(holder: peer.Holder, what: str) -> None:
    for address in (what, "register"):
        response = peer.send(what, holder.sign(json.dumps(holder.payload(address)).encode()))
        assert (response.status_code, response.json()["code"]) == (403, "not_allowed")


def test_mutations_start_from_something_that_is_accepted(
    issue: Callable[..., dict[str, object]], holder: peer.Holder, fields: dict[str, Any]
) -> None:
    """Else the tests above would prove nothing."""
    assert peer.send("register", holder.sign(json.dumps(fields).encode())).status_code == 201
    assert register(issue(), peer.Machine("plain")).status_code == 201
