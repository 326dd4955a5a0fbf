"""Manifests in hostile hands: whatever was changed, it is refused by name, and nothing else happens."""

import base64
import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from strongroom_agent.core.errors import AgentError
from strongroom_agent.update import keys as client_keys
from strongroom_agent.update import manifest

from deploy.update_key import keys, release
from tests.long import MANY

FIRST, SECOND, STRANGER = (Ed25519PrivateKey.generate() for _ in range(3))
TRUSTED = client_keys.read(keys.public([FIRST, SECOND]))
SAID: dict[str, Any] = {
    "version": "1.2.0",
    "serial": 1_700_000_000,
    "issued": "2026-11-28T00:00:00Z",
    "expires": "2027-02-26T00:00:00Z",
    "files": [
        {
            "platform": "linux",
            "architecture": "x86_64",
            "kind": "archive",
            "name": "strongroom-agent-update-1.2.0-linux-x86_64-archive-01234567.tar.gz",
            "size": 13_000_000,
            "sha256": "0123456789abcdef" * 4,
        }
    ],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


def signed(said: object, key: Ed25519PrivateKey = FIRST) -> dict[str, str]:
    return release.envelope(manifest.canonical(said), key)


def code(envelope: object) -> str:
    with pytest.raises(AgentError) as refused:
        manifest.verified(envelope, TRUSTED)
    assert refused.value.remedy
    return refused.value.code


def test_what_the_tests_start_from_is_believed() -> None:
    for key in (FIRST, SECOND):
        found = manifest.verified(signed(SAID, key), TRUSTED)
        assert (found.version, found.serial, len(found.files)) == ("1.2.0", 1_700_000_000, 1)
        assert found.expires == datetime(2027, 2, 26, tzinfo=UTC)
    assert code(signed(SAID, STRANGER)) == "update_not_signed"


@settings(max_examples=150 * MANY, deadline=None)
@given(st.data())
def test_changed_bytes_of_the_envelope(data: st.DataObject) -> None:
    envelope = signed(SAID)
    name = data.draw(st.sampled_from(sorted(envelope)))
    text = envelope[name]
    at = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.text(max_size=3))
    envelope[name] = text[:at] + put + text[at + data.draw(st.integers(0, 3)) :]
    try:
        meant = base64.b64decode(envelope["signature"], validate=True)
        same = meant == base64.b64decode(signed(SAID)["signature"]) and envelope | {"signature": ""} == signed(SAID) | {
            "signature": ""
        }
    except ValueError:
        same = False
    if same:
        manifest.verified(envelope, TRUSTED)
    else:
        assert code(envelope) == "update_not_signed"


@settings(max_examples=100 * MANY, deadline=None)
@given(JSON)
def test_anything_at_all_in_the_place_of_an_envelope(junk: object) -> None:
    assert code(junk) == "update_not_signed"
    assert code({**signed(SAID), "signed": junk}) == "update_not_signed"


@settings(max_examples=200 * MANY, deadline=None)
@given(st.data())
def test_well_signed_and_yet_no_manifest(data: st.DataObject) -> None:
    """Whoever has the key may make mistakes: no field is taken for something that it is not."""
    said = copy.deepcopy(SAID)
    within = said["files"][0] if data.draw(st.booleans()) else said
    name = data.draw(st.sampled_from(sorted(within)))
    junk = data.draw(JSON.filter(lambda value: not isinstance(value, str | int) or isinstance(value, bool)))
    within[name] = junk
    try:
        envelope = signed(said)
    except (ValueError, UnicodeEncodeError):
        return
    assert code(envelope) == "update_not_understood"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", "1.2"), ("version", "1"), ("version", "01.2.0"), ("version", "1.2.0-rc1"), ("version", "1.2.0\n"),
        ("serial", 0), ("serial", -1), ("serial", 2**60), ("serial", True), ("expires", "2026-11-27T00:00:00Z"),
        ("issued", "2026-13-01T00:00:00Z"), ("expires", "2027-02-26T00:00:00+00:00"), ("files", []),
        ("files", SAID["files"] * 2), ("files", SAID["files"] * 51), ("more", 1),
    ],
)  # fmt: skip
def test_values_at_the_edge(name: str, value: object) -> None:
    if (name, value) == ("version", "1.2"):
        assert manifest.verified(signed({**SAID, name: value}), TRUSTED).order == (1, 2)
    else:
        assert code(signed({**SAID, name: value})) == "update_not_understood"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "../../etc/passwd"), ("name", "strongroom-agent-update-/x"), ("name", "other.tar.gz"), ("size", 0),
        ("size", 2**40), ("size", 1.5), ("sha256", "0" * 63), ("sha256", "G" * 64), ("sha256", "0" * 64 + "\n"),
        ("kind", ""), ("kind", "a b"), ("platform", "linux\n"),
    ],
)  # fmt: skip
def test_files_at_the_edge(name: str, value: object) -> None:
    file = {**SAID["files"][0], name: value}
    assert code(signed({**SAID, "files": [file]})) == "update_not_understood"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(SAID), manifest.canonical(SAID) + " ", manifest.canonical(SAID).replace('{"', '{"serial":9,"', 1),
        "[" * 60_000, "NaN", "", "null", '{"serial":' + "9" * 5000 + "}",
    ],
)  # fmt: skip
def test_only_the_one_form_of_a_text(text: str) -> None:
    assert code(release.envelope(text, FIRST)) == "update_not_understood"


def test_a_signature_for_something_else_is_none() -> None:
    """The same key has signed the same text, but not as a manifest."""
    text = manifest.canonical(SAID)
    envelope = {**signed(SAID), "signature": base64.b64encode(FIRST.sign(text.encode())).decode()}
    assert code(envelope) == "update_not_signed"


def test_expiry_and_serial() -> None:
    found = manifest.verified(signed(SAID), TRUSTED)
    before = found.expires - timedelta(seconds=1)
    manifest.require_current(found, serial=found.serial, now=before)
    for serial, now, expected in (
        (found.serial + 1, before, "update_rolled_back"),
        (0, found.expires, "update_expired"),
    ):
        with pytest.raises(AgentError) as refused:
            manifest.require_current(found, serial=serial, now=now)
        assert refused.value.code == expected


@settings(max_examples=100 * MANY, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=2, max_size=4), st.lists(st.integers(0, 50), min_size=2, max_size=4))
def test_versions_are_compared_as_numbers(one: list[int], other: list[int]) -> None:
    texts = [".".join(map(str, each)) for each in (one, other)]
    padded = [each + [0] * (4 - len(each)) for each in (one, other)]
    first, second = (manifest.order(text) for text in texts)
    assert (first < second, first == second) == (padded[0] < padded[1], padded[0] == padded[1])
