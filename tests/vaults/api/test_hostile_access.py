"""What an attacker tries on every operation of the JSON API: no sign-in, keys of others, no token, a token to read."""

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agents.models import Machine, ReplacementRequest
from portal.accounts import tokens
from portal.accounts.authentication import Password
from portal.accounts.models import User
from portal.core.times import rfc3339
from tests.agents import replacing
from tests.agents.factories import credential_of, machine_in
from tests.factories import PASSWORD, as_actor
from tests.site import filled, operations
from tests.vaults.factories import Ask
from tests.vaults.pages import window
from vaults.models import Credential, CredentialChallenge, Operation, RetentionChange, Vault, VaultRequest

PEOPLES = [(method, path) for method, path in operations() if "/agent/" not in path]
CHANGING = [(method, path) for method, path in PEOPLES if method != "GET"]
WITH_KEYS = [(method, path) for method, path in PEOPLES if "{" in path]
# For each operation something that it would take, so that nothing but the right is missing.
BODY: dict[str, object] = {"comment": "x", "digest": "0" * 64}
BODIES: dict[str, dict[str, object]] = {
    "vaults": {"redundancy": "local"},
    "credentials": {"machines": 1},
    "revoke": {"reason": "lost"},
    "retention": {"keep_within_days": 60},
    "bring-back": {"as_of": rfc3339(timezone.now()), "reason": "Deleted by mistake."},
    "approve": BODY,
    "reject": BODY,
    "cancel": BODY,
    "challenge": {},
    "replacements": {"reason": "The disk is broken."},
}
NO_FIELDS = re.compile(r"/replacements/[^/]+/(cancel|credentials)$")

Keys = dict[str, object]


@pytest.fixture
def keys(vault: Vault, staff: User, ask: Ask) -> Keys:
    """One of each that staff have."""
    machine = machine_in(vault, credential_of(vault, staff))
    replacement = replacing.ask(staff, machine.pk)
    return {
        "vaults": vault.pk,
        "machines": machine.pk,
        "vault-requests": ask("Archive").pk,
        "replacements": replacement.pk,
    }


def send(client: Client, method: str, path: str, **headers: str) -> Any:
    words = [word for word in reversed(path.split("/")) if word in BODIES]
    body = {} if method == "GET" or NO_FIELDS.search(path) or not words else BODIES[words[0]]
    return client.generic(method, path, json.dumps(body), content_type="application/json", headers=headers)


def everything() -> list[object]:
    """What operations could change."""
    return [
        list(Vault.objects.values()),
        list(VaultRequest.objects.values()),
        list(Machine.objects.values()),
        list(Credential.objects.values()),
        list(CredentialChallenge.objects.values()),
        list(ReplacementRequest.objects.values()),
        list(Operation.objects.values()),
        list(RetentionChange.objects.values()),
    ]


def require_problem(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), PEOPLES)
def test_strangers_are_told_to_sign_in(method: str, path: str, keys: Keys) -> None:
    before = everything()
    for headers in ({}, {"Authorization": "Bearer nothing"}, {"Authorization": "Basic c3RhZmY6eA=="}):
        require_problem(send(Client(), method, filled(path, keys), **headers), 401, "not_signed_in")
    assert everything() == before


@pytest.mark.parametrize(("method", "path"), WITH_KEYS)
def test_what_others_have_looks_like_what_nobody_has(method: str, path: str, keys: Keys, outsider: User) -> None:
    before = everything()
    nowhere = dict.fromkeys(keys, uuid.UUID(int=1))
    theirs, nobodys = (send(window(outsider), method, filled(path, each)) for each in (keys, nowhere))
    require_problem(theirs, 404, "not_found")
    assert theirs.content == nobodys.content
    assert everything() == before


@pytest.mark.parametrize(("method", "path"), CHANGING)
def test_a_session_alone_changes_nothing(method: str, path: str, keys: Keys, staff: User) -> None:
    """Another site can send the cookie along, but not the header; nor does another content type get around it."""
    before = everything()
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)
    require_problem(send(client, method, filled(path, keys)), 403, "not_allowed")
    plain = client.generic(method, filled(path, keys), b"{}", content_type="text/plain")
    require_problem(plain, 403, "not_allowed")
    assert everything() == before


@pytest.mark.parametrize(("method", "path"), CHANGING)
def test_a_token_to_read_changes_nothing(method: str, path: str, keys: Keys, staff: User) -> None:
    _, secret = tokens.make("script", actor=as_actor(staff), scope="read", days=1, answer=Password(PASSWORD))
    before = everything()
    headers = {"Authorization": f"Bearer {secret}"}
    require_problem(send(Client(), method, filled(path, keys), **headers), 403, "not_allowed")
    override = {**headers, "X-HTTP-Method-Override": method}
    send(Client(), "GET", filled(path, keys), **override)
    assert everything() == before


@pytest.mark.parametrize(("method", "path"), CHANGING)
@pytest.mark.parametrize("who", ["auditor", "administrator"])
def test_reading_is_all_that_onlookers_may(
    method: str, path: str, who: str, keys: Keys, request: pytest.FixtureRequest
) -> None:
    """Auditors see everything and change nothing; administrators do not even see it."""
    before = everything()
    answer = send(window(request.getfixturevalue(who)), method, filled(path, keys))
    assert answer.status_code in {403, 404, 422}
    assert everything() == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 100_000, 422),
        (b'{"a":' * 50_000, 422),
        (b'{"machines": ' + b"9" * 20_000 + b"}", 422),
        (b'{"machines": 1e999}', 422),
        (b'{"machines": NaN}', 422),
        (b'{"reason": "' + b"x" * 2_000_000 + b'"}', 422),
        (b"x" * 2 * 1024 * 1024, 422),
        (b'{"a": 1, "a": ' + b'"\\ud800"}', 422),
        (b"\xff\xfe\x00", 422),
    ],
)
def test_bombs_are_invalid(body: bytes, status: int, keys: Keys, staff: User) -> None:
    """Depth, length, numbers and texts that parsers choke on; also where nobody is asked to sign in."""
    path = filled("/api/v1/vaults/{vault_id}/credentials", keys)
    answer = window(staff).post(path, body, content_type="application/json")
    require_problem(answer, status, "invalid")
    machines = Client().post("/api/v1/agent/register", body, content_type="application/jose")
    require_problem(machines, 403, "credential_invalid")


@pytest.fixture(autouse=True)
def keep_refusals_out_of_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals are written in a transaction of their own, for which these tests have no room."""
    quiet: Callable[..., None] = lambda *args, **kwargs: None  # noqa: E731
    monkeypatch.setattr("agents.protocol.refusal_log.refusal", quiet)
