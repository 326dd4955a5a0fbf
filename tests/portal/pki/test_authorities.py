"""portal.pki.authorities and prepare_pki: made once, sealed, and right for the edge."""

import ssl
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from portal import tasks
from portal.audit.models import AuditEvent
from portal.config.celery_settings import CONFIGURATION
from portal.edge import files
from portal.pki import authorities
from portal.pki.crypto import certificates, keys
from portal.pki.crypto.certificates import Certificate
from tests.portal.tls import shake_hands

URL = "https://localhost:8443"


@pytest.fixture(autouse=True)
def own_folder(settings: Settings, tmp_path: Path) -> Path:
    """A data folder without keys."""
    settings.PKI = tmp_path / "pki"
    return tmp_path / "pki"


def test_keys_are_made_once_and_stay() -> None:
    first = keys.digest(authorities.signing_key().public_key()), authorities.roots_pem()
    assert (keys.digest(authorities.signing_key().public_key()), authorities.roots_pem()) == first


def test_processes_that_start_together_share_one_set_of_keys(own_folder: Path) -> None:
    start = threading.Barrier(8)
    seen: list[tuple[str, str]] = []

    def begin() -> None:
        start.wait()
        seen.append((authorities.roots_pem(), keys.digest(authorities.client_authority().key.public_key())))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert [path.name for path in own_folder.iterdir()] == ["keys.json"]


def test_keys_lie_sealed_and_private(own_folder: Path) -> None:
    authorities.signing_key()
    (path,) = own_folder.iterdir()
    assert "PRIVATE KEY" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(own_folder.stat().st_mode) == 0o700


@pytest.mark.django_db
def test_another_sealing_key_is_told_as_such(settings: Settings) -> None:
    authorities.signing_key()
    settings.SEAL_KEY = "another secret, long enough to be one"
    with pytest.raises(ImproperlyConfigured, match="STRONGROOM_SEAL_KEY is not the one"):
        authorities.signing_key()
    with pytest.raises(CommandError, match="STRONGROOM_SEAL_KEY is not the one"):
        call_command("prepare_pki")


def test_short_sealing_key_is_refused(settings: Settings) -> None:
    settings.SEAL_KEY = "too short"
    with pytest.raises(ImproperlyConfigured, match="at least 32 characters"):
        authorities.signing_key()


@pytest.mark.django_db
def test_edges_files_serve_tls(own_folder: Path, settings: Settings) -> None:
    call_command("prepare_pki")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(own_folder / "edge.pem", own_folder / "edge.key")
    client = ssl.create_default_context(cafile=own_folder / "root.pem")
    ours, _ = shake_hands(client, server)
    assert ours.version() == "TLSv1.3"
    assert stat.S_IMODE((own_folder / "edge.key").stat().st_mode) == 0o600
    (entry,) = AuditEvent.objects.filter(action="pki:renew_edge")
    leaf = certificates.read_chain((own_folder / "edge.pem").read_text())[0]
    assert (entry.via, entry.detail["fingerprint"]) == ("command", certificates.fingerprint(leaf))


@pytest.mark.django_db
def test_edge_is_renewed_while_the_portal_runs(own_folder: Path, settings: Settings) -> None:
    """By beat's message, and only when it is time."""
    assert CONFIGURATION["beat_schedule"]["edge-files"]["task"] == "portal.edge-files"
    files.prepare(own_folder, settings.EDGE_URL, timezone.now() - timedelta(days=61))
    before = (own_folder / "edge.pem").read_text()
    for _ in range(2):
        tasks.edge_files_up_to_date()
    assert (own_folder / "edge.pem").read_text() != before
    (entry,) = AuditEvent.objects.filter(action="pki:renew_edge")
    assert (entry.actor_label, entry.via) == ("system", "worker")


def test_new_certificate_is_announced_before_it_is_written(own_folder: Path) -> None:
    """So that what cannot be written down does not happen."""

    def refuse(made: Certificate) -> None:
        raise RuntimeError("no audit log")

    with pytest.raises(RuntimeError):
        files.prepare(own_folder, URL, timezone.now(), refuse)
    assert not (own_folder / "edge.pem").exists()


def test_trust_pool_for_clients_is_the_clients_authority_alone(own_folder: Path) -> None:
    files.prepare(own_folder, URL, timezone.now())
    pool = certificates.read_chain((own_folder / "client-ca.pem").read_text())
    assert pool == [authorities.client_authority().certificate]


def test_certificate_is_kept_while_it_fits(own_folder: Path) -> None:
    now = timezone.now()
    first = files.prepare(own_folder, URL, now)
    again = files.prepare(own_folder, URL, now + timedelta(days=59))
    assert (first.renewed, again.renewed) == (True, False)
    assert again.certificate == first.certificate


def test_certificate_is_renewed_near_its_end_for_another_host_and_when_its_key_is_gone(own_folder: Path) -> None:
    now = timezone.now()
    files.prepare(own_folder, URL, now)
    assert files.prepare(own_folder, URL, now + timedelta(days=61)).renewed
    moved = files.prepare(own_folder, "https://Backup.example:443", now)
    assert moved.renewed
    assert certificates.server_names(moved.certificate) == {"backup.example", "localhost", "127.0.0.1", "::1"}
    (own_folder / "edge.key").write_text(keys.private_pem(keys.new_key()))
    assert files.prepare(own_folder, "https://backup.example", now).renewed


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("https://localhost:8443", ["localhost", "127.0.0.1", "::1"]),
        ("https://192.0.2.7", ["192.0.2.7", "localhost", "127.0.0.1", "::1"]),
        ("https://[2001:db8::7]:8443", ["2001:db8::7", "localhost", "127.0.0.1", "::1"]),
        ("https://bücher.example", ["xn--bcher-kva.example", "localhost", "127.0.0.1", "::1"]),
    ],
)
def test_names_of_the_edge(url: str, names: list[str]) -> None:
    assert files.server_names(url) == names
