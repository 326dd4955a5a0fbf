"""The portal's own CAs and its signing key, as they count now; `portal/pki/rotation.py` changes them.

A root stands above two issuing CAs: `edge` (certificates of our servers) and `clients` (certificates of credentials and
machines). `signing` signs credential files and agent packages. All are made at the first use and kept, sealed, by
`portal/pki/keyring.py`. While CAs are being replaced two generations are trusted, and each function here says what that
means for it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from portal.pki import keyring
from portal.pki.crypto import certificates, issuing, keys, sealing
from portal.pki.crypto.certificates import Certificate
from portal.pki.crypto.errors import Unacceptable
from portal.pki.crypto.issuing import Authority, Usage
from portal.pki.crypto.keys import PrivateKey
from portal.pki.keyring import Generation, Keyring, StoredCA

ROOT_LIFE = timedelta(days=20 * 365)
ISSUER_LIFE = timedelta(days=10 * 365)
SETTLING = timedelta(minutes=1)
"""From being trusted to issuing for clients: the edge takes a few seconds to trust a new CA."""
MINIMUM_SECRET = 32  # characters


def roots() -> list[Certificate]:
    """The certificates that our servers, our clients and the agents trust, the newest first."""
    found = [_parsed(each.root.certificate) for each in load_keyring().generations]
    return list(dict.fromkeys(found))


def roots_pem() -> str:
    """The same as PEM."""
    return certificates.pem(*roots())


def edge_authority() -> Authority:
    """The CA of our servers' certificates: one whose root agents know that have not renewed since a rotation began."""
    found = load_keyring()
    previous = found.previous
    if previous is not None and previous.root.certificate != found.current.root.certificate:
        return authority(previous.edge, "edge")
    return authority(found.current.edge, "edge")


def edge_root() -> Certificate:
    """The root above the certificate that our servers show now: what a new machine is told to trust."""
    found = load_keyring()
    return _parsed((found.previous or found.current).root.certificate)


def client_authority() -> Authority:
    """The CA that issues certificates to credentials and machines now."""
    return authority(_issuing_to_clients(load_keyring()).clients, "clients")


def client_issuers() -> list[Certificate]:
    """The CAs whose certificates for credentials and machines are accepted, the newest first."""
    return [_parsed(each.clients.certificate) for each in load_keyring().generations]


def signing_key() -> PrivateKey:
    """The key that signs credential files and agent packages. It is not rotated."""
    return _unsealed(load_keyring().signing, "signing")


def client_chain_pem(leaf: Certificate) -> str:
    """`leaf` and the CA that issued it, as PEM: what its holder presents. Raises Unacceptable when we trust none."""
    for issuer in client_issuers():
        if certificates.issued_by(leaf, issuer):
            return certificates.pem(leaf, issuer)
    raise Unacceptable("The certificate was not issued by this portal.")


def require_client_chain(chain: Sequence[Certificate], *, at: datetime) -> None:
    """Raise Unacceptable unless chain[0] is a client certificate, good at `at`, by an issuing CA that counts now.

    That the chain leads to a root of ours is not enough: a retired issuing CA may be under the same root.
    """
    if list(chain[1:]) not in [[issuer] for issuer in client_issuers()]:
        raise Unacceptable("The certificate was not issued by this portal.")
    certificates.require_chain(chain, roots=roots(), at=at)


def load_keyring() -> Keyring:
    """What is stored, made now if there is nothing yet."""
    if (found := keyring.read()) is not None:
        return found
    at = timezone.now()
    generation = new_generation(1, at, new_root(1, at))
    keyring.create(Keyring(seal(keys.new_key(), "signing"), generation))
    return load_keyring()


def new_root(number: int, at: datetime) -> Authority:
    """A root for generation `number`."""
    return issuing.new_root(_name("root", number), at=at, until=at + ROOT_LIFE)


def new_generation(number: int, at: datetime, root: Authority) -> Generation:
    """Generation `number`: `root` with new issuing CAs under it; nothing is stored."""
    until = min(at + ISSUER_LIFE, root.certificate.not_valid_after_utc)
    edge = issuing.new_issuer(root, _name("edge", number), Usage.SERVER, at=at, until=until)
    clients = issuing.new_issuer(root, _name("clients", number), Usage.CLIENT, at=at, until=until)
    return Generation(number, at.isoformat(), _stored(root, "root"), _stored(edge, "edge"), _stored(clients, "clients"))


def authority(stored: StoredCA, name: str) -> Authority:
    """A stored CA, with its key unsealed; `name` is what it was sealed as."""
    return Authority(_parsed(stored.certificate), _unsealed(stored.key, name))


def certificate(stored: StoredCA) -> Certificate:
    """A stored CA's certificate."""
    return _parsed(stored.certificate)


def seal(key: PrivateKey, name: str) -> str:
    """The key sealed with STRONGROOM_SEAL_KEY."""
    return sealing.seal(_secret(), keys.private_pem(key).encode(), label=name)


def _issuing_to_clients(found: Keyring) -> Generation:
    settled = timezone.now() >= found.current.made_at + SETTLING
    return found.current if settled or found.previous is None else found.previous


def _name(what: str, number: int) -> str:
    # Programs that look a CA up by its subject must never have two to choose from.
    return f"Strongroom {what}" if number == 1 else f"Strongroom {what} {number}"


def _stored(ca: Authority, name: str) -> StoredCA:
    return StoredCA(certificates.pem(ca.certificate), seal(ca.key, name))


@lru_cache(maxsize=16)
def _parsed(pem: str) -> Certificate:
    return certificates.read_chain(pem)[0]


def _unsealed(sealed: str, name: str) -> PrivateKey:
    return _opened(sealed, name, _secret(), settings.SEAL_KEY_OLD)


@lru_cache(maxsize=16)
def _opened(sealed: str, name: str, *secrets: str) -> PrivateKey:
    for secret in filter(None, secrets):
        try:
            return keys.read_private(sealing.unseal(secret, sealed, label=name).decode())
        except Unacceptable:
            continue  # the next may be the one; that none is it is told below
    raise ImproperlyConfigured(
        f"The key {name!r} cannot be opened: STRONGROOM_SEAL_KEY is not the one that it was sealed with."
    )


def _secret() -> str:
    secret: str = settings.SEAL_KEY
    if len(secret) < MINIMUM_SECRET:
        raise ImproperlyConfigured(f"STRONGROOM_SEAL_KEY must have at least {MINIMUM_SECRET} characters.")
    return secret
