"""What `manage.py pki fingerprints` says: the CAs that are stored, and what is in effect at the edge."""

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from portal.core.times import exactly
from portal.edge import probe
from portal.pki import authorities, rotation
from portal.pki.crypto import certificates, keys
from portal.pki.crypto.certificates import Certificate
from portal.pki.keyring import Generation, Keyring


def stored(ring: Keyring) -> Iterator[str]:
    """Lines about each generation, and about the signing key. A fingerprint is SHA-256, of the certificate in DER."""
    for generation in ring.generations:
        yield f"Generation {generation.number}, made {exactly(generation.made_at)}{_role(ring, generation)}"
        for name, ca in (("root", generation.root), ("edge", generation.edge), ("clients", generation.clients)):
            yield _line(name, authorities.certificate(ca))
    yield "Signing key of credential files and agent packages (SHA-256 of the public key)"
    yield f"  {'':8} {keys.digest(authorities.signing_key().public_key())}"


def at_the_edge(ring: Keyring, edge_url: str) -> Iterator[str]:
    """Lines about what the edge shows and accepts now."""
    yield f"In effect at {edge_url}"
    try:
        leaf = probe.shown(edge_url)
        yield _line("shows", leaf)
        yield f"  {'':8} {_origin(leaf)}"
        for generation in ring.generations:
            accepted = probe.accepts(edge_url, authorities.authority(generation.clients, "clients"), timezone.now())
            yield f"  {'accepts' if accepted else 'REFUSES':8} client certificates of generation {generation.number}"
    except OSError as error:
        yield f"  it does not answer ({type(error).__name__})"


def _role(ring: Keyring, generation: Generation) -> str:
    if generation is ring.current:
        return ""
    needed_by = rotation.needing_previous(ring)
    return f"; to be retired, {'still needed by ' + ' and '.join(needed_by) if needed_by else 'needed by nobody'}"


def _origin(leaf: Certificate) -> str:
    try:
        prepared = certificates.read_chain((Path(settings.PKI) / "edge.pem").read_text())[0]
    except FileNotFoundError:
        return "which is not from here: there is no edge.pem"
    return "as in edge.pem" if prepared == leaf else "which is NOT the one in edge.pem; the edge has not read it yet"


def _line(name: str, certificate: Certificate) -> str:
    return f"  {name:8} {certificates.fingerprint(certificate)} until {certificate.not_valid_after_utc:%Y-%m-%d}"
