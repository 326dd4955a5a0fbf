"""The agent against the portal's own code: both read docs/protocol.md, and must have read the same.

Only the wire is left out: what the agent would send over TLS goes to the portal's views in this process.
"""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import pytest
from django.test import Client
from strongroom_agent.core.errors import AgentError, Exit
from strongroom_agent.portal import client as portal
from strongroom_agent.portal import credential, registration, renewal, reports
from strongroom_agent.portal.client import Portal
from strongroom_agent.portal.credential import Credential
from strongroom_agent.state import identity
from strongroom_agent.state.home import Home
from strongroom_agent.state.identity import Identity

from portal.accounts.models import User
from tests.factories import as_actor
from vaults.credentials import vault_credentials
from vaults.models import Region, Vault

SNAPSHOT = "ab" * 32


class Wireless:
    """Takes the place of httpx.Client, and hands requests to the views."""

    def __init__(self, **_: Any) -> None:
        self.client = Client()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing was opened."""

    @contextlib.contextmanager
    def stream(self, method: str, url: str, content: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """One request."""
        assert method == "POST"
        given = {"X-Real-IP": "192.0.2.9"}
        answer = self.client.post(urlsplit(url).path, content, content_type=headers["Content-Type"], headers=given)
        yield httpx.Response(answer.status_code, stream=httpx.ByteStream(answer.content))


@pytest.fixture(autouse=True)
def wireless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network in these tests."""
    monkeypatch.setattr("strongroom_agent.portal.client.httpx.Client", Wireless)
    monkeypatch.setattr(portal, "FIRST_PAUSE", 0)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def given(vault: Vault, staff: User, tmp_path: Path) -> Credential:
    """A credential as the portal issues it, read from its file."""
    return issued(vault, staff, tmp_path)


def issued(vault: Vault, staff: User, folder: Path) -> Credential:
    """Download a credential file and read it."""
    found = vault_credentials.issue(vault.pk, actor=as_actor(staff), machines=1)
    path = folder / found.file_name
    path.write_text(json.dumps(found.document))
    return credential.load(path, datetime.now(UTC))


def portal_of(who: Identity) -> Portal:
    """The portal that a machine talks to."""
    return Portal(who.edge_url, who.ca_certificates)


def refusal(home: Home, given: Credential, name: str) -> AgentError:
    """What registering ends with."""
    with pytest.raises(AgentError) as caught:
        registration.register(home, given, name, None)
    assert caught.value.message.endswith(caught.value.remedy)
    return caught.value


def test_the_portals_files_pass_the_agents_checks(given: Credential, vault: Vault) -> None:
    assert (given.vault["id"], given.vault["name"], given.purpose) == (str(vault.pk), "Payroll", "register")


def test_a_machine_registers_renews_reports_and_leaves(
    given: Credential, vault: Vault, home: Home, regions: tuple[Region, Region]
) -> None:
    registered = registration.register(home, given, "hr-db-02", None)
    assert (registered.name, registered.vault["id"]) == ("hr-db-02", str(vault.pk))
    assert [(each.region, each.read_only) for each in registered.repositories][:1] == [("Local A", False)]
    assert registration.register(home, given, "hr-db-02", None).answer == registered.answer

    renewed = renewal.renew(home, registered, portal_of(registered))
    assert renewed.machine_id == registered.machine_id
    assert renewed.private_key != registered.private_key
    assert identity.load(home) == renewed
    assert renewal.renew_if_due(home, renewed, portal_of(renewed)) is renewed

    figures = {"snapshot": SNAPSHOT, "files": 2, "bytes": 5, "bytes_added": 7}
    reports.keep(home, reports.Run("backup").report("succeeded", "", **figures))
    figures = {"snapshot": SNAPSHOT, "compared": 2, "compared_bytes": 5, "total": 2, "changed": 0, "mismatched": 0}
    reports.keep(home, reports.Run("restore_check").report("succeeded", "2 of 2 files", **figures))
    reports.keep(home, reports.Run("check").report("failed", "\udcff" + "x" * 600))
    versions: dict[str, object] = {"agent_version": "1.0.0", "engine_version": "0.14.0"}
    _deliver(home, renewed, versions)
    assert (reports.waiting(home), reports.refused(home)) == (0, 0)
    reports.keep(home, {**reports.Run("check").report("failed"), "message": "\udcff"})
    reports.keep(home, reports.Run("check").report("succeeded"))
    _deliver(home, renewed, versions)
    assert (reports.waiting(home), reports.refused(home)) == (0, 1)

    pulse = portal_of(renewed).post("heartbeat", renewed.signer, versions).body
    assert pulse == {"ok": True, "state": "Ready", "renew": False, "damaged": False}
    assert portal_of(renewed).post("unregister", renewed.signer, {}).body == {"ok": True}
    with pytest.raises(AgentError) as caught:
        portal_of(renewed).post("heartbeat", renewed.signer, versions)
    assert caught.value.code == "not_allowed"


def _deliver(home: Home, machine: identity.Identity, versions: dict[str, object]) -> None:
    portal, signer = portal_of(machine), machine.signer
    reports.deliver(
        home,
        lambda report: portal.post("runs", signer, report),
        lambda: portal.post("heartbeat", signer, versions),
    )


def test_refusals_arrive_with_the_codes_of_the_contract(
    given: Credential, vault: Vault, staff: User, home: Home, tmp_path: Path
) -> None:
    registration.register(home, given, "hr-db-02", None)
    other = Home(tmp_path / "other")
    assert refusal(other, given, "hr-db-03").code == "credential_used_up"
    newer = issued(vault, staff, tmp_path)
    error = refusal(other, newer, "hr-db-02")
    assert (error.code, error.exit_status) == ("machine_exists", Exit.REFUSED)
    error = refusal(other, given, "hr-db-03")
    assert error.code == "credential_superseded"
    assert error.message.startswith("Invalid vault credentials provided.")


def test_a_clock_that_is_off_is_told_by_how_much(
    given: Credential, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    actual = datetime.now(UTC).timestamp()
    monkeypatch.setattr("strongroom_agent.portal.jws.time.time", lambda: actual + 1000)
    error = refusal(home, given, "hr-db-02")
    assert error.code == "clock_skew"
    skew = error.details["skew_seconds"]
    assert isinstance(skew, int)
    assert 990 <= skew <= 1000
