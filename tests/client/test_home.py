"""The state on disk: written in one step, for the owner only, and whole after any crash."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from strongroom_agent.core.errors import AgentError
from strongroom_agent.portal import keys, renewal, reports
from strongroom_agent.portal.client import Response
from strongroom_agent.state import identity
from strongroom_agent.state.home import Home, default_folder
from strongroom_agent.state.identity import Identity

from .authority import Authority
from .peer import spki


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def registered(authority: Authority, home: Home) -> Identity:
    """A machine with a stored identity."""
    key = keys.generate()
    found = Identity(answer_for(authority, keys.certificate_request(key)), key, "https://edge")
    identity.save(home, found)
    return found


def answer_for(authority: Authority, csr: str, **changes: Any) -> dict[str, Any]:
    """What a portal answers to a registration or renewal."""
    return {
        "machine": {"id": "m", "name": "hr-db-02", "vault_id": "v", "state": "Registered"},
        "vault": {"id": "v", "name": "Payroll", "subscription": "Default", "region": "Local A"},
        "certificate": authority.machine(csr, "m"),
        "ca_certificates": authority.roots,
        "renew_after": "2026-11-23T00:00:00.000000Z",
        "repositories": [{"region": "Local A", "url": "https://edge/a/v/m/", "read_only": False}],
        **changes,
    }


class Answering:
    """A portal that certifies whatever it is asked to, and remembers it."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.asked: list[str] = []

    def post(self, _what: str, _signer: object, fields: dict[str, Any]) -> Response:
        """One renewal."""
        self.asked.append(fields["csr"])
        return Response(200, answer_for(self.authority, fields["csr"]))


def fail(*_: object) -> None:
    raise Crash


def test_the_folder_is_where_the_contract_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("STRONGROOM_AGENT_HOME", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
    assert default_folder() == tmp_path / ".config" / "strongroom-agent"
    monkeypatch.setenv("STRONGROOM_AGENT_HOME", str(tmp_path / "x"))
    assert default_folder() == tmp_path / "x"


def test_files_are_for_the_owner_whatever_the_umask(home: Home) -> None:
    before = os.umask(0)
    try:
        home.write_text("secret", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(home.path("secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_crash_while_writing_leaves_the_old_content(home: Home, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    home.write_text("file", "old")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(Crash):
        home.write_text("file", "new")
    assert home.read_text("file") == "old"
    assert [path.name for path in home.folder.iterdir()] == ["file"]


def test_a_crash_while_renewing_leaves_a_pair_that_fits(
    home: Home, registered: Identity, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering: Any = Answering(authority)
    with monkeypatch.context() as crashing:
        crashing.setattr(identity, "save", fail)
        with pytest.raises(Crash):
            renewal.renew(home, registered, answering)
    assert identity.load(home) == registered
    renewed = renewal.renew(home, registered, answering)
    assert identity.load(home) == renewed
    first, second = answering.asked
    assert public_key(first) == public_key(second)


def test_a_crash_after_renewing_does_not_ask_for_the_same_key_again(
    home: Home, registered: Identity, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering: Any = Answering(authority)
    with monkeypatch.context() as crashing:
        crashing.setattr(Home, "remove", fail)
        with pytest.raises(Crash):
            renewal.renew(home, registered, answering)
    renewed = identity.load(home)
    assert renewed is not None
    assert renewed != registered
    renewal.renew(home, renewed, answering)
    first, second = answering.asked
    assert public_key(first) != public_key(second)


def public_key(csr: str) -> bytes:
    """The key that a request is for."""
    return spki(x509.load_pem_x509_csr(csr.encode()).public_key())


@pytest.mark.parametrize(
    "changes",
    [
        {"certificate": ""},
        {"certificate": "x"},
        {"machine": {}},
        {"vault": None},
        {"repositories": []},
        {"repositories": [{"region": "A", "url": "http://edge/", "read_only": False}]},
        {"repositories": [{"region": "A"}]},
        {"renew_after": "tomorrow"},
        {"ca_certificates": 5},
    ],
)
def test_an_answer_that_lacks_something_is_not_stored(authority: Authority, changes: dict[str, Any]) -> None:
    key = keys.generate()
    with pytest.raises(AgentError) as caught:
        Identity(answer_for(authority, keys.certificate_request(key), **changes), key, "https://edge")
    assert caught.value.code == "answer_not_understood"


def test_a_certificate_for_another_key_is_not_stored(authority: Authority) -> None:
    answer = answer_for(authority, keys.certificate_request(keys.generate()))
    with pytest.raises(AgentError):
        Identity(answer, keys.generate(), "https://edge")


def test_the_queue_of_reports_has_an_end(home: Home) -> None:
    for number in range(210):
        reports.keep(
            home, {"run": f"{number:03}", "finished_at": f"2026-11-22T00:00:00.{number:06}Z", "kind": "backup"}
        )
    assert reports.waiting(home) == 200
    assert min(path.name for path in home.path("reports").iterdir()).endswith("-010.json")
