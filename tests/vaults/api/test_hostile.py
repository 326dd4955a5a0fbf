"""Whatever is sent to the JSON API, the answer is one of the contract's: never a 500."""

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.accounts.models import User
from portal.api.app import schema
from tests.long import MANY
from tests.vaults.factories import Ask
from tests.vaults.pages import window
from vaults.models import Vault

EXPECTED = {200, 201, 401, 403, 404, 405, 409, 422, 429, 503}
OPERATIONS = [(method, path) for path, methods in schema()["paths"].items() for method in methods]

words = st.sampled_from(
    ["Default", "Payroll", "Local A", "geo", "local", "Because", "", "\0", "\ud800", "Ä" * 300, "../x"]
)
junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(
    ["subscription", "name", "region", "redundancy", "reason", "comment", "digest", "machines", "public_key", "x"]
)
bodies = st.dictionaries(names, words | junk, max_size=8).map(lambda body: json.dumps(body).encode())
queries = st.dictionaries(st.sampled_from(["limit", "after", "state", "x"]), st.text(max_size=30), max_size=2)


@pytest.fixture
def keys(ask: Ask, vault: Vault) -> list[str]:
    """What stands for a key in a path: those of a request and a vault, and others that are none."""
    return [str(ask("Archive").pk), str(vault.pk), "0" * 8, "00000000-0000-0000-0000-000000000000", "%00", "é"]


@pytest.mark.parametrize("who", ["staff", "approver"])
def test_no_call_breaks_the_portal(who: str, keys: list[str], request: pytest.FixtureRequest) -> None:
    user: User = request.getfixturevalue(who)
    client: Client = window(user)

    @settings(
        max_examples=250 * MANY,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        operation=st.sampled_from(OPERATIONS),
        key=st.sampled_from(keys),
        body=bodies | junk.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40),
        query=queries,
    )
    def fuzz(operation: tuple[str, str], key: str, body: bytes, query: dict[str, str]) -> None:
        method, path = operation
        for name in ("request_id", "vault_id", "machine_id"):
            path = path.replace("{" + name + "}", key)
        response = client.generic(method.upper(), path, body, content_type="application/json", query_params=query)
        assert response.status_code in EXPECTED, (method, path, body, response.content)
        if response.status_code >= 400:
            assert response["Content-Type"] == "application/problem+json"
            assert response.json()["code"]

    fuzz()
