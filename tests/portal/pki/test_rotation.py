"""`manage.py pki`: rotating, retiring, sealing anew; what a crash leaves, what is written down, what it says."""

import subprocess
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from portal.audit.models import AuditEvent
from portal.core.actor import Actor, Via
from portal.core.times import exactly
from portal.pki import authorities, rotation
from portal.pki.crypto import certificates, issuing, keys
from portal.pki.crypto.certificates import Certificate, Kind, Profile
from portal.pki.crypto.errors import Unacceptable
from tests.at_once import at_once
from tests.ports import free_port

pytestmark = pytest.mark.django_db
ACTOR = Actor(label="pki", via=Via.COMMAND)


@pytest.fixture(autouse=True)
def own_folder(settings: Settings, tmp_path: Path) -> Path:
    """A data folder with keys of generation 1 and no edge in front."""
    settings.PKI = tmp_path / "pki"
    settings.EDGE_URL = f"https://localhost:{free_port()}"
    authorities.load_keyring()
    return tmp_path / "pki"


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new CA issues at once."""
    monkeypatch.setattr(authorities, "SETTLING", timedelta())


def leaf_of_now() -> Certificate:
    """A client certificate by the CA that issues now."""
    now, profile = timezone.now(), Profile(Kind.MACHINE, uuid4())
    return issuing.issue_client(
        authorities.client_authority(), keys.new_key().public_key(), profile, at=now, until=now + timedelta(hours=1)
    )


def subject(certificate: Certificate) -> str:
    """Its one name."""
    return certificate.subject.rfc4514_string()


def edge_issuer(folder: Path) -> Certificate:
    """The CA in the edge's chain."""
    return certificates.read_chain((folder / "edge.pem").read_text())[1]


# Rotating


def test_new_root_is_trusted_beside_the_old_one() -> None:
    (old,) = authorities.roots()
    old_issuer = authorities.client_authority().certificate
    call_command("pki", "rotate", "root")
    assert [subject(root) for root in authorities.roots()] == ["CN=Strongroom root 2", "CN=Strongroom root"]
    assert authorities.roots()[1] == old
    assert certificates.read_chain(authorities.roots_pem()) == authorities.roots()
    assert [subject(each) for each in authorities.client_issuers()] == [
        "CN=Strongroom clients 2",
        "CN=Strongroom clients",
    ]
    assert authorities.client_issuers()[1] == old_issuer


def test_new_ca_issues_after_the_edge_has_had_time_to_trust_it(monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("pki", "rotate", "root")
    new, old = authorities.client_issuers()
    assert authorities.client_authority().certificate == old
    monkeypatch.setattr(authorities, "SETTLING", timedelta())
    assert authorities.client_authority().certificate == new


def test_edge_stays_on_the_old_root_until_it_is_retired(own_folder: Path, settled: None) -> None:
    """Machines that have not renewed know no other."""
    call_command("prepare_pki")
    first = edge_issuer(own_folder)
    call_command("pki", "rotate", "root")
    assert edge_issuer(own_folder) == first
    assert certificates.read_chain((own_folder / "client-ca.pem").read_text()) == authorities.client_issuers()
    assert certificates.read_chain((own_folder / "root.pem").read_text()) == authorities.roots()
    call_command("pki", "retire")
    assert subject(edge_issuer(own_folder)) == "CN=Strongroom edge 2"
    assert [subject(root) for root in certificates.read_chain((own_folder / "root.pem").read_text())] == [
        "CN=Strongroom root 2"
    ]


def test_new_issuers_under_the_same_root_serve_at_once(own_folder: Path) -> None:
    """Everybody trusts them already."""
    before = authorities.roots()
    call_command("pki", "rotate", "issuers")
    assert authorities.roots() == before
    assert subject(edge_issuer(own_folder)) == "CN=Strongroom edge 2"
    certificates.require_chain(
        [leaf_of_now(), authorities.client_authority().certificate], roots=before, at=timezone.now()
    )


@pytest.mark.parametrize("what", ["root", "issuers"])
def test_certificates_of_a_retired_ca_are_refused(what: str, settled: None) -> None:
    """Also when it is under a root that is still trusted."""
    old = leaf_of_now(), authorities.client_authority().certificate
    authorities.require_client_chain(old, at=timezone.now())
    call_command("pki", "rotate", what)
    authorities.require_client_chain(old, at=timezone.now())
    call_command("pki", "retire")
    with pytest.raises(Unacceptable, match="not issued by this portal"):
        authorities.require_client_chain(old, at=timezone.now())
    with pytest.raises(Unacceptable):
        authorities.client_chain_pem(old[0])
    new = certificates.read_chain(authorities.client_chain_pem(leaf_of_now()))
    authorities.require_client_chain(new, at=timezone.now())


def test_chain_goes_with_its_leaf(settled: None) -> None:
    """Whichever CA issues by the time that the chain is put together."""
    leaf, issuer = leaf_of_now(), authorities.client_authority().certificate
    call_command("pki", "rotate", "root")
    assert certificates.read_chain(authorities.client_chain_pem(leaf)) == [leaf, issuer]


def test_signing_key_stays(settled: None) -> None:
    before = keys.digest(authorities.signing_key().public_key())
    call_command("pki", "rotate", "root")
    call_command("pki", "retire")
    assert keys.digest(authorities.signing_key().public_key()) == before


def test_one_rotation_at_a_time(own_folder: Path) -> None:
    call_command("pki", "rotate", "root")
    before = (own_folder / "keys.json").read_bytes()
    with pytest.raises(CommandError, match=r"Generation 1 is still trusted beside 2\. Retire it first"):
        call_command("pki", "rotate", "issuers")
    assert (own_folder / "keys.json").read_bytes() == before


@pytest.mark.django_db(transaction=True)
def test_of_two_rotations_at_once_one_wins() -> None:
    outcomes = at_once([lambda: rotation.rotate(ACTOR, with_root=True)] * 2)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Generation", "StaleState"]
    assert [each.number for each in authorities.load_keyring().generations] == [2, 1]
    assert AuditEvent.objects.filter(action="pki:rotate").count() == 1


def test_nothing_to_retire() -> None:
    with pytest.raises(CommandError, match="No generation is waiting to be retired"):
        call_command("pki", "retire")


def test_retiring_deletes_the_old_keys(own_folder: Path, settled: None) -> None:
    old = authorities.load_keyring().current
    call_command("pki", "rotate", "root")
    call_command("pki", "retire")
    left = (own_folder / "keys.json").read_text()
    assert [ca.key in left for ca in (old.root, old.edge, old.clients)] == [False, False, False]
    call_command("pki", "rotate", "root")
    assert authorities.load_keyring().current.number == 3


# What is needed still


def test_retiring_waits_for_whoever_needs_it(monkeypatch: pytest.MonkeyPatch, own_folder: Path) -> None:
    monkeypatch.setattr(rotation, "holders", [two_machines, nobody, one_credential])
    call_command("pki", "rotate", "root")
    with pytest.raises(CommandError, match="Generation 1 is still needed by 2 machines and 1 credential"):
        call_command("pki", "retire")
    assert len(authorities.roots()) == 2
    call_command("pki", "retire", "--now")
    assert len(authorities.roots()) == 1
    entry = AuditEvent.objects.get(action="pki:retire")
    assert entry.detail["needed_by"] == ["2 machines", "1 credential"]


def two_machines(issuer: str, ended: object) -> str:
    """As an app answers."""
    return "2 machines"


def one_credential(issuer: str, ended: object) -> str:
    """As an app answers."""
    return "1 credential"


def nobody(issuer: str, ended: object) -> str:
    """As an app answers when all is well."""
    return ""


# Written down


def test_every_step_is_written_down(settled: None) -> None:
    root = certificates.fingerprint(authorities.roots()[0])
    call_command("pki", "rotate", "root")
    call_command("pki", "retire")
    call_command("pki", "reseal")
    entries = AuditEvent.objects.filter(actor_label="pki", via="command").order_by("id")
    assert [entry.action for entry in entries] == [
        *("pki:rotate", "pki:renew_edge", "pki:retire", "pki:renew_edge", "pki:reseal")
    ]
    assert entries[0].detail["root"] == certificates.fingerprint(authorities.roots()[0])
    assert entries[2].detail["root"] == root
    assert not any("PRIVATE" in str(entry.detail) for entry in entries)


@pytest.mark.parametrize("step", [("rotate", "root"), ("retire",), ("reseal",)])
def test_no_entry_no_action(step: tuple[str, ...], own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if step == ("retire",):
        call_command("pki", "rotate", "root")
    before = {path.name: path.read_bytes() for path in own_folder.iterdir()}
    monkeypatch.setattr(rotation, "record", fail)
    with pytest.raises(ConnectionError):
        call_command("pki", *step)
    assert {path.name: path.read_bytes() for path in own_folder.iterdir()} == before


def fail(*args: object, **kwargs: object) -> None:
    """What a step does when the machine gives out."""
    raise ConnectionError("gone")


# What is in effect


def test_fingerprints_are_those_of_openssl(capsys: pytest.CaptureFixture[str], own_folder: Path) -> None:
    """Of each generation; an edge that is not there is said to be."""
    call_command("pki", "rotate", "root")
    capsys.readouterr()
    call_command("pki", "fingerprints")
    lines = capsys.readouterr().out.splitlines()
    keyring = authorities.load_keyring()
    assert [line for line in lines if not line.startswith(" ")] == [
        f"Generation 2, made {exactly(keyring.current.made_at)}",
        f"Generation 1, made {exactly(keyring.generations[1].made_at)}; to be retired, needed by nobody",
        "Signing key of credential files and agent packages (SHA-256 of the public key)",
        f"In effect at {django_settings.EDGE_URL}",
    ]
    assert lines[-1] == "  it does not answer (ConnectionRefusedError)"
    openssl = ["openssl", "x509", "-in", str(own_folder / "root.pem"), "-noout", "-fingerprint", "-sha256"]
    said = subprocess.run(openssl, capture_output=True, text=True, check=True).stdout
    assert lines[1].split()[:2] == ["root", said.strip().partition("=")[2].replace(":", "").lower()]
