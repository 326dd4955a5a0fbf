"""Hostile bodies for the endpoint that anybody may call: none gets a credential, none makes a 500."""

import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import transaction
from django.test import Client
from hypothesis import assume, given
from hypothesis import strategies as st

from portal.accounts.models import User
from portal.core import digests
from portal.pki.crypto import keys
from tests.agents.hostile import ODD, Count, at_least, changed_bytes, changed_field
from tests.agents.peer import request_for
from tests.factories import as_actor
from vaults.credentials import one_time_codes
from vaults.models import Credential, Vault

CODES = {"code_invalid": 403, "invalid": 422, "throttled": 429}


@pytest.fixture(autouse=True)
def keep_refusals_out_of_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals are written in a transaction of their own, which a case that rolls back has no room for."""
    monkeypatch.setattr("agents.protocol.refusal_log.refusal", lambda *args, **kwargs: None)


@pytest.fixture
def fields(vault: Vault, staff: User) -> dict[str, Any]:
    """A request that would be granted; it is never sent as it is."""
    shown = one_time_codes.show(vault.pk, actor=as_actor(staff))
    code, csr = shown.text.replace("-", ""), request_for(keys.new_key())
    return {"code": code, "csr": csr, "name": "hr-db-02", "vault": str(vault.pk)}


def refuses(body: bytes) -> None:
    """Send it, and look at the refusal. What it wrote is rolled back, so that cases stay alone."""
    with transaction.atomic():
        response = Client().post("/api/v1/agent/redeem", body, content_type="application/json")
        assert response["Content-Type"] == "application/problem+json", (response.status_code, response.content)
        assert CODES.get(response.json()["code"]) == response.status_code, response.content
        assert not Credential.objects.exists()
        transaction.set_rollback(True)


def test_changed_bytes(fields: dict[str, Any]) -> None:
    original, count = digests.canonical(fields), Count()

    @at_least(150)
    @given(data=st.data())
    def try_one(data: st.DataObject) -> None:
        changed = changed_bytes(data, original)
        assume(changed != original and not _means_the_same(changed, fields))
        count.add(changed)
        refuses(changed)

    try_one()
    count.require(150)


def test_changed_fields(fields: dict[str, Any]) -> None:
    count = Count()

    @at_least(150)
    @given(data=st.data())
    def try_one(data: st.DataObject) -> None:
        changed = changed_field(data, fields)
        try:
            body = digests.canonical(changed)
        except ValueError:
            body = json.dumps(changed).encode()
        assume(not _means_the_same(body, fields))
        count.add(changed)
        refuses(body)

    try_one()
    count.require(150)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"\xff\xfe{}", b"[" * 8000, b'{"a":' * 1600, b"1e999", b"{" + b" " * 9000 + b"}"],
    ids=lambda body: f"{body[:8]!r}",
)
def test_no_such_object(fields: dict[str, Any], body: bytes) -> None:
    refuses(body)


def test_other_forms_of_what_would_be_granted(fields: dict[str, Any]) -> None:
    """One request has one form: spaces, another order, a name twice and further fields are refused."""
    plain = digests.canonical(fields).decode()
    refuses(json.dumps(fields).encode())
    refuses(json.dumps(dict(reversed(fields.items())), separators=(",", ":")).encode())
    refuses((plain[:-1] + f',"vault":"{fields["vault"]}"' + "}").encode())
    refuses(digests.canonical({**fields, "zone": "x"}))
    refuses(f"{plain}\n".encode())
    first, rest = fields["code"][:4], fields["code"][4:]
    for code in (f"{first.lower()}a{rest[1:]}", f" {first}{rest}", f"{first}-{rest}", f"{first}{rest}\n"):
        refuses(digests.canonical({**fields, "code": code}))
    refuses(digests.canonical({**fields, "vault": fields["vault"].upper()}))


@at_least(60)
@given(value=ODD)
def test_odd_values_in_each_field(db: None, value: Any) -> None:
    for name in ("code", "csr", "name", "vault"):
        odd = {"code": "0" * 12, "csr": "x", "name": "m", "vault": "x"} | {name: value}
        refuses(json.dumps(odd, separators=(",", ":"), sort_keys=True).encode())


def _means_the_same(body: bytes, fields: dict[str, Any]) -> bool:
    """Whether it is canonical and differs in the machine's name, or in what parsers of PEM look past, alone."""
    try:
        content = json.loads(body)
        canonical = isinstance(content, dict) and digests.canonical(content) == body
    except (ValueError, RecursionError):
        return False
    if not canonical or set(content) != set(fields):
        return False
    same = all(content[name] == fields[name] for name in ("code", "vault"))
    return same and _request(content["csr"]) == _request(fields["csr"])


def _request(text: object) -> object:
    try:
        return x509.load_pem_x509_csr(str(text).encode("utf-8", "replace")).public_bytes(Encoding.DER)
    except (ValueError, x509.InvalidVersion):
        return None
