"""The files that the edge reads: whom to trust as a client, and the certificate that it shows.

They are brought up to date at each start, every hour while the portal runs, and after each step of a rotation. Whoever
runs the edge has it read them again when they change (deploy/runner/reloading.py does).
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from portal.audit.actions import Action
from portal.audit.record import record
from portal.core import files
from portal.core.actor import Actor
from portal.core.times import rfc3339
from portal.pki import authorities, keyring
from portal.pki.crypto import certificates, issuing, keys
from portal.pki.crypto.certificates import Certificate
from portal.pki.crypto.errors import Unacceptable

LIFE = timedelta(days=90)
RENEW_BEFORE_END = timedelta(days=30)

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Prepared:
    """What `prepare()` found or made."""

    certificate: Certificate
    renewed: bool


def prepare(
    folder: Path, edge_url: str, at: datetime, announce: Callable[[Certificate], object] = lambda made: None
) -> Prepared:
    """Write root.pem, client-ca.pem, edge.pem and edge.key (in clear, mode 0600) into `folder`.

    client-ca.pem is the trust pool for client certificates: our issuing CAs for clients alone, so that no other
    certificate of ours can be shown there. The edge's certificate is made anew when it nears its end, when the host of
    `edge_url` has changed, or when another CA than `pki.edge_authority()` issued it; `announce` is called with the new
    one before it is written.
    """
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    _replace(folder / "root.pem", authorities.roots_pem())
    _replace(folder / "client-ca.pem", certificates.pem(*authorities.client_issuers()))
    names = server_names(edge_url)
    if (present := _good(folder, names, at)) is not None:
        return Prepared(present, renewed=False)
    authority, key = authorities.edge_authority(), keys.new_key()
    leaf = issuing.issue_server(authority, key.public_key(), names, at=at, until=at + LIFE)
    announce(leaf)
    # A crash between the two leaves a pair that does not fit; the next call sees that and makes another.
    _replace(folder / "edge.key", keys.private_pem(key))
    _replace(folder / "edge.pem", certificates.pem(leaf, authority.certificate))
    return Prepared(leaf, renewed=True)


def bring_up_to_date(actor: Actor) -> Prepared:
    """`prepare()` for this deployment, now, one caller after the other; a new certificate has its audit entry first."""
    with keyring.changing():
        return prepare(settings.PKI, settings.EDGE_URL, timezone.now(), lambda made: _note(made, actor))


def _note(made: Certificate, actor: Actor) -> None:
    detail = {"fingerprint": certificates.fingerprint(made), "until": rfc3339(made.not_valid_after_utc)}
    record(Action.PKI_RENEW_EDGE, actor=actor, detail=detail)


def server_names(edge_url: str) -> list[str]:
    """The names that the edge answers to: the host of `edge_url` first, then this machine's own."""
    host = urlsplit(edge_url).hostname or LOCAL_NAMES[0]
    try:
        host = str(ipaddress.ip_address(host))
    except ValueError:
        host = host.encode("idna").decode()
    return list(dict.fromkeys((host, *LOCAL_NAMES)))


def _good(folder: Path, names: list[str], at: datetime) -> Certificate | None:
    try:
        leaf, issuer = certificates.read_chain((folder / "edge.pem").read_text())
        key = keys.read_private((folder / "edge.key").read_text())
    except (FileNotFoundError, Unacceptable, ValueError):
        return None
    fits = keys.digest(key.public_key()) == keys.digest(certificates.public_key(leaf))
    ours = issuer == authorities.edge_authority().certificate
    young = leaf.not_valid_after_utc - at > RENEW_BEFORE_END
    return leaf if fits and ours and young and certificates.server_names(leaf) == set(names) else None


def _replace(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        files.replace(path, text)
