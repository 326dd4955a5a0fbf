"""Mutated credential files, of the real portal and read by the real agent: none is accepted, each gets a code.

500 different ones in every run, 10,000 in the long one; what parses to the original does not count.
"""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from hypothesis import assume, given
from hypothesis import strategies as st
from strongroom_agent.core.errors import AgentError, Exit
from strongroom_agent.portal import credential

from tests.agents import hostile
from tests.agents.hostile import Count, at_least, changed_bytes, changed_field

BEGINNINGS = {
    "credential_invalid": "Invalid vault credentials provided.",
    "credential_without_key": "Invalid vault credentials provided.",
    "credential_unreadable": "Unable to read the vault credentials file.",
}


@pytest.fixture
def document(issue: Callable[..., dict[str, object]]) -> dict[str, Any]:
    """What a downloaded file holds."""
    return issue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file lies."""
    return tmp_path / "Payroll_Sun Nov 22 2026.VaultCredentials"


def refused(path: Path, content: bytes) -> str:
    """The code with which the agent refuses the file; fails when it takes it, or breaks."""
    path.write_bytes(content)
    with pytest.raises(AgentError) as caught:
        credential.load(path, datetime.now(UTC))
    error = caught.value
    assert error.exit_status == Exit.REFUSED
    assert error.message.startswith(BEGINNINGS[error.code])
    assert error.message.endswith(error.remedy)
    assert error.remedy
    return error.code


def meaning(content: bytes) -> object:
    """What the file says: its JSON, with the signature as bytes and the key as a number, whatever their spelling."""
    fields = hostile.parsed(content.removeprefix(b"\xef\xbb\xbf"))
    if not isinstance(fields, dict):
        return fields
    return {**fields, "signature": _signature(fields.get("signature")), "private_key": _key(fields.get("private_key"))}


def _signature(text: object) -> object:
    try:
        return base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        return text


def _key(text: object) -> object:
    try:
        key: Any = serialization.load_pem_private_key(str(text).encode(), None)
        return key.private_numbers().private_value
    except (ValueError, TypeError, AttributeError, UnsupportedAlgorithm):
        return text


def test_changed_bytes(document: dict[str, Any], path: Path) -> None:
    """As disks, mails and editors do it, anywhere in the file."""
    original, count = json.dumps(document, indent=1).encode(), Count()

    @at_least(250)
    @given(data=st.data())
    def try_one(data: st.DataObject) -> None:
        content = changed_bytes(data, original)
        assume(meaning(content) != meaning(original))
        count.add(meaning(content))
        refused(path, content)

    try_one()
    count.require(250)


def test_changed_fields(document: dict[str, Any], path: Path) -> None:
    """As somebody does it who knows the format, field by field and inside of them."""
    original, count = json.dumps(document).encode(), Count()

    @at_least(250)
    @given(data=st.data())
    def try_one(data: st.DataObject) -> None:
        content = json.dumps(changed_field(data, document)).encode()
        assume(meaning(content) != meaning(original))
        count.add(meaning(content))
        refused(path, content)

    try_one()
    count.require(250)


def test_mutations_start_from_a_file_that_is_accepted(document: dict[str, Any], path: Path) -> None:
    """Else the tests above would prove nothing."""
    path.write_text(json.dumps(document, indent=1))
    assert credential.load(path, datetime.now(UTC)).edge_url == document["edge_url"]
