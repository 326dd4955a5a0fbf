"""The credential file offline: each refusal with its code, its words and its exit status."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strongroom_agent.core.errors import AgentError, Exit
from strongroom_agent.portal import credential

from tests.long import MANY

from .authority import Authority, public_pem

EDGE = "https://edge.example:8443"
INVALID = "Invalid vault credentials provided."
# Half of the count that is asked of hostile input, for each of two tests.
HOSTILE = settings(max_examples=250 * MANY, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, content: Any) -> Path:
    """A credential file with this content."""
    path = folder / "Payroll_Sun Nov 22 2026.VaultCredentials"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def refusal(path: Path, now: datetime | None = None) -> AgentError:
    """The refusal that loading a file ends with."""
    with pytest.raises(AgentError) as caught:
        credential.load(path, now or datetime.now(UTC))
    assert caught.value.exit_status == Exit.REFUSED
    assert caught.value.remedy
    assert caught.value.message.endswith(caught.value.remedy)
    return caught.value


def loaded_or_code(path: Path) -> Any:
    """What loading a file gives: a credential, or the code of the refusal."""
    try:
        return credential.load(path, datetime.now(UTC))
    except AgentError as error:
        return error.code


def test_a_good_file_is_accepted_under_any_name(authority: Authority, tmp_path: Path) -> None:
    fields = authority.credential(EDGE)
    loaded = credential.load(write(tmp_path, fields).rename(tmp_path / "x"), datetime.now(UTC))
    assert (loaded.edge_url, loaded.vault, loaded.private_key) == (EDGE, fields["vault"], fields["private_key"])


def test_order_spacing_and_a_byte_order_mark_do_not_matter(authority: Authority, tmp_path: Path) -> None:
    fields = dict(reversed(authority.credential(EDGE).items()))
    path = write(tmp_path, b"\xef\xbb\xbf" + json.dumps(fields, indent=4).encode())
    assert credential.load(path, datetime.now(UTC)).edge_url == EDGE


def test_names_outside_ascii_are_signed_as_they_are(authority: Authority, tmp_path: Path) -> None:
    vault = {"id": "1", "name": "Gehälter €", "subscription": "日本", "region": "Süd"}
    path = write(tmp_path, authority.credential(EDGE, vault=vault))
    assert credential.load(path, datetime.now(UTC)).vault == vault


@pytest.mark.parametrize("content", [b"", b"   \n", b"\x89PNG\r\n", b"\xff\xfe{", b"[1]", b'"text"', b"%PDF-1.7"])
def test_another_kind_of_file_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)
    error = refusal(path)
    assert error.code == "credential_unreadable"
    assert error.message.startswith(f"Unable to read the vault credentials file. {path}: ")


def test_a_missing_file_a_folder_and_a_giant_are_unreadable(tmp_path: Path) -> None:
    (tmp_path / "giant").write_bytes(b"{" * 300_000)
    for path, why in [
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "this is not a file"),
        (tmp_path / "giant", "too large, so not a vault credentials file"),
    ]:
        error = refusal(path)
        assert error.code == "credential_unreadable"
        assert error.message.startswith(f"Unable to read the vault credentials file. {path}: {why}.")


@pytest.mark.parametrize(
    "content",
    [b"{", b'{"format": "strongroom-vault-credentials/1", "vault"', b"{}", b'{"a": 1, "a": 2}', b'{"a":' + b"[" * 9999],
)
def test_what_begins_like_ours_but_is_broken_is_invalid(tmp_path: Path, content: bytes) -> None:
    error = refusal(write(tmp_path, content))
    assert (error.code, error.message.startswith(INVALID)) == ("credential_invalid", True)


@pytest.mark.parametrize("name", ["edge_url", "portal_url", "purpose", "expires_at", "certificate", "ca_certificates"])
def test_an_edited_field_is_found(authority: Authority, tmp_path: Path, name: str) -> None:
    fields = authority.credential(EDGE)
    fields[name] = " " + fields[name]
    error = refusal(write(tmp_path, fields))
    assert (error.code, error.message.startswith(INVALID)) == ("credential_invalid", True)


def test_a_certificate_of_another_root_is_invalid_even_when_signed(authority: Authority, tmp_path: Path) -> None:
    other = Authority()
    theirs = other.credential(EDGE)
    fields = authority.credential(EDGE, certificate=theirs["certificate"])
    fields["private_key"] = theirs["private_key"]
    error = refusal(write(tmp_path, fields))
    assert error.message.startswith(f"{INVALID} Its certificate does not come from the portal")


def test_a_key_of_another_file_is_invalid(authority: Authority, tmp_path: Path) -> None:
    fields = {**authority.credential(EDGE), "private_key": authority.credential(EDGE)["private_key"]}
    error = refusal(write(tmp_path, fields))
    assert error.message.startswith(f"{INVALID} Its private key does not belong")


def test_a_public_key_in_place_of_the_private_one_is_invalid(authority: Authority, tmp_path: Path) -> None:
    fields = {**authority.credential(EDGE), "private_key": public_pem(authority.signing_key)}
    assert refusal(write(tmp_path, fields)).code == "credential_invalid"


@pytest.mark.parametrize("key", ["", None, "  \n", ...])
@pytest.mark.parametrize("age", [0, 72])
def test_a_missing_key_is_never_called_expired(authority: Authority, tmp_path: Path, key: Any, age: int) -> None:
    fields = {**authority.credential(EDGE, datetime.now(UTC) - timedelta(hours=age)), "private_key": key}
    if key is ...:
        del fields["private_key"]
    error = refusal(write(tmp_path, fields))
    assert error.code == "credential_without_key"
    assert error.message.startswith(INVALID)
    assert "expired" not in error.message


def test_an_old_file_has_expired_from_the_very_moment(authority: Authority, tmp_path: Path) -> None:
    issued = datetime.now(UTC)
    path = write(tmp_path, authority.credential(EDGE, issued))
    ends = issued + timedelta(hours=48)
    error = refusal(path, ends)
    assert error.code == "credential_expired"
    assert error.message.startswith("Vault credentials file provided has expired.")
    assert credential.load(path, ends - timedelta(seconds=1)).edge_url == EDGE


def test_a_file_from_the_future_means_a_slow_clock(authority: Authority, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    path = write(tmp_path, authority.credential(EDGE, now + timedelta(minutes=7, seconds=3)))
    error = refusal(path, now)
    assert (error.code, error.details) == ("clock_skew", {"skew_seconds": -423})
    assert "7 minutes 3 seconds slow" in error.message
    assert credential.load(path, now + timedelta(minutes=3)).edge_url == EDGE


def test_an_address_without_tls_is_invalid_even_when_signed(authority: Authority, tmp_path: Path) -> None:
    assert refusal(write(tmp_path, authority.credential("http://edge"))).code == "credential_invalid"


@HOSTILE
@given(data=st.data())
def test_no_damaged_byte_is_accepted_and_none_crashes(
    authority: Authority, tmp_path: Path, data: st.DataObject
) -> None:
    fields = GOOD.setdefault("fields", authority.credential(EDGE))
    content = bytearray(json.dumps(fields).encode())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[position]))
    path = write(tmp_path, bytes(content))
    outcome = loaded_or_code(path)
    # Some changes mean nothing, such as a tab for a space: then the credential must be the same as before.
    unchanged = loaded_or_code(write(tmp_path, fields))
    assert outcome in ["credential_invalid", "credential_unreadable", "credential_without_key", unchanged]


@HOSTILE
@given(
    name=st.sampled_from(["format", "vault", "purpose", "edge_url", "certificate", "private_key", "signature"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ),
)
def test_any_value_in_any_field_is_refused_with_a_code(
    authority: Authority, tmp_path: Path, name: str, value: Any
) -> None:
    fields = {**GOOD.setdefault("fields", authority.credential(EDGE)), name: value}
    assert refusal(write(tmp_path, fields)).code in {"credential_invalid", "credential_without_key"}


GOOD: dict[str, Any] = {}
