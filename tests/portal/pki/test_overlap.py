"""Machines in the course of a rotation: what they trust, what they present, and what they sign, as the edge and the
portal take it. TLS is real, and set up on the server's side from the files that Caddy reads."""

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from agents.models import MachineCertificate
from portal.core.errors import NotAllowed
from portal.pki import authorities
from portal.pki.crypto import certificates, keys
from tests.agents import peer
from tests.agents.peer import register, say
from tests.portal.tls import shake_hands

SAID = dict[str, Any]


@pytest.fixture(autouse=True)
def own_folder(db: None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with CAs and the edge's files; a new CA issues at once."""
    settings.PKI = tmp_path / "pki"
    monkeypatch.setattr(authorities, "SETTLING", timedelta())
    call_command("prepare_pki")
    return tmp_path / "pki"


@pytest.fixture
def machine(issue: Callable[..., SAID]) -> peer.Machine:
    """A machine that registered before all this."""
    machine = peer.Machine("old")
    assert register(issue(), machine).status_code == 201
    return machine


def connects(folder: Path, bundle: object, holder: peer.Holder) -> bool:
    """Whether the two ends accept each other: somebody who trusts `bundle` alone, and the edge."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "edge.pem", folder / "edge.key")
    server.load_verify_locations(folder / "client-ca.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    server.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as Caddy: what is in the pool need not be a root
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=str(bundle))
    (folder.parent / "client.pem").write_text(holder.chain + keys.private_pem(holder.key))
    client.load_cert_chain(folder.parent / "client.pem")
    try:
        _, theirs = shake_hands(client, server)
    except ssl.SSLError:
        return False
    assert theirs.getpeercert() is not None
    return True


def renew(machine: peer.Machine) -> Any:
    """Renew with a new key, which the machine then goes on with; the response."""
    key = keys.new_key()
    response = say(machine.holder, "renew", csr=peer.request_for(key))
    if response.status_code == 200:
        machine.key, machine.answer = key, response.json()
    return response


def bundle_of(machine: peer.Machine) -> str:
    """What the machine trusts."""
    return str(machine.answer["ca_certificates"])


def test_machines_pass_from_one_root_to_the_next(
    own_folder: Path, machine: peer.Machine, issue: Callable[..., SAID]
) -> None:
    """Without being set up again, and each at its own time until the old root is retired."""
    old_bundle, old_holder = bundle_of(machine), machine.holder
    waiting = issue()
    assert connects(own_folder, old_bundle, old_holder)

    call_command("pki", "rotate", "root")
    assert connects(own_folder, old_bundle, old_holder)
    late = peer.Machine("late")
    assert register(waiting, late).status_code == 201
    assert connects(own_folder, waiting["ca_certificates"], late.holder)

    assert renew(machine).status_code == 200
    assert certificates.read_chain(bundle_of(machine)) == authorities.roots()
    assert len(authorities.roots()) == 2
    assert certificates.read_chain(machine.holder.chain)[1] == authorities.client_issuers()[0]
    assert connects(own_folder, bundle_of(machine), machine.holder)
    assert connects(own_folder, bundle_of(machine), old_holder)

    call_command("pki", "retire")
    both, new_holder = bundle_of(machine), machine.holder
    assert connects(own_folder, both, new_holder)
    assert not connects(own_folder, old_bundle, new_holder)
    assert not connects(own_folder, both, old_holder)
    assert say(new_holder, "heartbeat", agent_version="1.0.0", engine_version="0.14.0").status_code == 200

    assert renew(machine).status_code == 200
    assert certificates.read_chain(bundle_of(machine)) == authorities.roots()
    assert len(authorities.roots()) == 1
    assert connects(own_folder, bundle_of(machine), machine.holder)


@pytest.mark.parametrize("what", ["root", "issuers"])
def test_who_comes_after_the_end_is_refused(
    what: str, own_folder: Path, machine: peer.Machine, issue: Callable[..., SAID]
) -> None:
    """A machine that never renewed, and a credential from before: by TLS and by signature, in the contract's words."""
    document = issue()
    call_command("pki", "rotate", what)
    call_command("pki", "retire", "--now")
    assert not connects(own_folder, authorities.roots_pem(), machine.holder)
    problem = renew(machine).json()
    assert (problem["code"], "was not issued by this portal" in problem["detail"]) == (NotAllowed.code, True)
    refused = register(document, peer.Machine("late"))
    assert (refused.status_code, refused.json()["code"]) == (403, "credential_invalid")
    assert MachineCertificate.objects.count() == 1


def test_new_issuers_need_nothing_from_machines(own_folder: Path, machine: peer.Machine) -> None:
    """The root stays, so the edge moves at once."""
    bundle, holder = bundle_of(machine), machine.holder
    call_command("pki", "rotate", "issuers")
    assert connects(own_folder, bundle, holder)
    assert renew(machine).status_code == 200
    assert bundle_of(machine) == bundle
    call_command("pki", "retire")
    assert connects(own_folder, bundle, machine.holder)
    assert not connects(own_folder, bundle, holder)


def test_new_credential_comes_from_the_new_ca_and_brings_both_roots(issue: Callable[..., SAID]) -> None:
    call_command("pki", "rotate", "root")
    document = issue()
    assert certificates.read_chain(str(document["certificate"]))[1] == authorities.client_issuers()[0]
    assert certificates.read_chain(str(document["ca_certificates"])) == authorities.roots()
    assert register(document, peer.Machine("new")).status_code == 201


# Who still needs the old CAs


def test_retiring_waits_for_machines_that_could_still_renew(machine: peer.Machine) -> None:
    call_command("pki", "rotate", "root")
    with pytest.raises(CommandError, match=r"Generation 1 is still needed by 1 machine\."):
        call_command("pki", "retire")
    assert renew(machine).status_code == 200
    call_command("pki", "retire")


@pytest.mark.parametrize("gone", ["state", "revoked", "ended"])
def test_retiring_does_not_wait_for_machines_that_never_come_back(
    gone: str, machine: peer.Machine, settings: Settings
) -> None:
    call_command("pki", "rotate", "root")
    row = MachineCertificate.objects.get()
    if gone == "state":
        type(row.machine).objects.update(state="Revoked")
    elif gone == "revoked":
        MachineCertificate.objects.update(revoked_at=timezone.now())
    else:
        settings.RENEWABLE_DAYS = 10
        MachineCertificate.objects.update(not_after=timezone.now() - timedelta(days=10))
    call_command("pki", "retire")


def test_retiring_waits_for_credentials_of_the_last_two_days(issue: Callable[..., SAID]) -> None:
    document = issue()
    call_command("pki", "rotate", "root")
    with pytest.raises(CommandError, match=r"Generation 1 is still needed by 1 credential\."):
        call_command("pki", "retire")
    issue()  # ends the one before
    call_command("pki", "retire")
    assert register(document, peer.Machine()).status_code == 403
