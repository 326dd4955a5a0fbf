"""Mutated messages: none is accepted, none makes a 500, each gets a code of the contract."""

import base64
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from agents.models import Machine
from tests.agents import peer
from tests.agents.conftest import register

LONG = bool(os.environ.get("STRONGROOM_LONG"))


def cases(share: int) -> settings:
    """So many of the 500 cases of every run, which are always the same; of the long one, twenty times as many."""
    return settings(
        max_examples=share * 20 if LONG else share,
        deadline=None,
        derandomize=not LONG,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


REFUSALS = {"credential_invalid", "clock_skew", "invalid"}

# What a parser may take for something else: wrong types, edges of ranges, texts that databases do not like.
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**63, 2**64, -1, 10**30, 253402300800]),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(["", "\0", "\ud800", "..", "../../etc", "a" * 5000, "{{7*7}}", "%00", "' OR 1=1 --", "ﬁle"]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


@pytest.fixture
def holder(issue: Callable[..., dict[str, object]]) -> peer.Holder:
    """The holder of a credential with places enough for every mistake that this could find."""
    return peer.Holder.of(issue(machines=500))


@pytest.fixture
def valid(holder: peer.Holder) -> bytes:
    """A registration that is not sent: whatever is made of it must not be accepted either."""
    return holder.sign(json.dumps(holder.payload("register", **peer.Machine().registration())).encode())


def refuses(body: bytes) -> str:
    """Send it; the code of the refusal, after a look at it. What it wrote is rolled back, so cases stay alone."""
    with transaction.atomic():
        response = peer.send("register", body)
        assert response.status_code in {400, 403, 422}, response.content
        code: str = response.json()["code"]
        assert code in REFUSALS
        assert not Machine.objects.exists()
        transaction.set_rollback(True)
    return code


def parts(body: bytes) -> list[bytes]:
    """Header, payload and signature, decoded."""
    return [base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in body.split(b".")]


def joined(*pieces: bytes) -> bytes:
    """The compact form of the three."""
    return b".".join(base64.urlsafe_b64encode(piece).rstrip(b"=") for piece in pieces)


@pytest.fixture(autouse=True)
def keep_refusals_out_of_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals are written in a transaction of their own, which a case that rolls back has no room for."""
    monkeypatch.setattr("agents.refusal_log.refusal", lambda *args, **kwargs: None)


@cases(200)
@given(data=st.data())
def test_changed_bytes_are_refused(valid: bytes, data: st.DataObject) -> None:
    """Bits of header, payload or signature flipped, cut out, doubled: the signature no longer fits."""
    pieces = parts(valid)
    which = data.draw(st.integers(0, 2))
    piece = bytearray(pieces[which])
    place = data.draw(st.integers(0, len(piece) - 1))
    match data.draw(st.sampled_from(["flip", "cut", "insert", "double"])):
        case "flip":
            piece[place] ^= 1 << data.draw(st.integers(0, 7))
        case "cut":
            del piece[place : place + data.draw(st.integers(1, 40))]
        case "insert":
            piece[place:place] = data.draw(st.binary(min_size=1, max_size=20))
        case "double":
            piece[place:place] = piece[: data.draw(st.integers(1, 40))]
    pieces[which] = bytes(piece)
    assume(parts(valid) != pieces)
    assert refuses(joined(*pieces)) == "credential_invalid"


@cases(200)
@given(data=st.data())
def test_changed_fields_that_are_signed_are_refused(holder: peer.Holder, data: st.DataObject) -> None:
    """As a program with a real credential could send them."""
    payload = holder.payload("register", **peer.Machine().registration())
    name = data.draw(st.sampled_from(sorted(payload)))
    odd = data.draw(ODD)
    assume(not harmless(name, odd))
    changed = {key: value for key, value in payload.items() if key != name}
    if data.draw(st.booleans()):
        changed[name] = odd
    try:
        body = holder.sign(json.dumps(changed).encode())
    except UnicodeEncodeError:
        assume(False)
    refuses(body)


def harmless(name: str, value: Any) -> bool:
    """Whether the value is as good as the one that it takes the place of."""
    if name == "agent_version":
        return isinstance(value, str) and len(value) <= 32
    return name == "name" and isinstance(value, str) and value.replace("-", "a").replace(".", "a").isalnum()


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


@cases(100)
@given(body=st.one_of(st.binary(min_size=1, max_size=300), st.text(min_size=1, max_size=300).map(_utf8)))
def test_junk_is_refused(db: None, body: bytes) -> None:
    assert refuses(body) == "credential_invalid"


@pytest.mark.parametrize("what", ["renew", "runs", "heartbeat", "unregister"])
def test_credential_opens_nothing_else(holder: peer.Holder, what: str) -> None:
    for address in (what, "register"):
        response = peer.send(what, holder.sign(json.dumps(holder.payload(address)).encode()))
        assert (response.status_code, response.json()["code"]) == (403, "not_allowed")


def test_mutations_start_from_something_that_is_accepted(issue: Callable[..., dict[str, object]], valid: bytes) -> None:
    """Else the tests above would prove nothing."""
    assert peer.send("register", valid).status_code == 201
    assert register(issue(), peer.Machine("plain")).status_code == 201
