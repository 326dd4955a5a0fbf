"""The portal's own CAs and its signing key: made once, sealed in the data folder, read by every process.

`$STRONGROOM_DATA/pki/keys` holds a JSON file for each: `root` above `edge` (certificates of our servers) and `clients`
(certificates of credentials and machines), and `signing`, which signs credential files and agent packages. The folder
is made whole under another name and then renamed, so of two processes that start together one wins and both use its
keys. The root's key is needed for new CAs only, and unsealed then.
"""

import json
import os
import shutil
import tempfile
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from portal.crypto import certificates, issuing, keys, sealing
from portal.crypto.certificates import Certificate
from portal.crypto.errors import Unacceptable
from portal.crypto.issuing import Authority, Usage
from portal.crypto.keys import PrivateKey

ROOT_LIFE = timedelta(days=20 * 365)
ISSUER_LIFE = timedelta(days=10 * 365)
MINIMUM_SECRET = 32  # characters


def roots() -> list[Certificate]:
    """The certificates that our servers, our clients and the agents trust."""
    return [_certificate("root")]


def roots_pem() -> str:
    """The same as PEM."""
    return certificates.pem(*roots())


def edge_authority() -> Authority:
    """The CA of our servers' certificates."""
    return _authority("edge")


def client_authority() -> Authority:
    """The CA of the certificates of credentials and machines."""
    return _authority("clients")


def signing_key() -> PrivateKey:
    """The key that signs credential files and agent packages."""
    return _key("signing")


def client_chain_pem(leaf: Certificate) -> str:
    """`leaf` and the CA that issued it, as PEM: what its holder presents."""
    return certificates.pem(leaf, client_authority().certificate)


def _authority(name: str) -> Authority:
    return Authority(_certificate(name), _key(name))


def _certificate(name: str) -> Certificate:
    return _parsed(_stored(name)["certificate"])


def _key(name: str) -> PrivateKey:
    return _unsealed(name, _stored(name)["key"], _secret())


@lru_cache(maxsize=16)
def _parsed(pem: str) -> Certificate:
    return certificates.read_chain(pem)[0]


@lru_cache(maxsize=16)
def _unsealed(name: str, sealed: str, secret: str) -> PrivateKey:
    try:
        return keys.read_private(sealing.unseal(secret, sealed, label=name).decode())
    except Unacceptable as error:
        raise ImproperlyConfigured(
            f"The key {name!r} cannot be opened: STRONGROOM_SEAL_KEY is not the one that it was sealed with."
        ) from error


def _stored(name: str) -> dict[str, str]:
    folder = Path(settings.PKI) / "keys"
    path = folder / f"{name}.json"
    try:
        changed = path.stat().st_mtime_ns
    except FileNotFoundError:
        _make(folder, timezone.now())
        changed = path.stat().st_mtime_ns
    return _read(path, changed)


@lru_cache(maxsize=16)
def _read(path: Path, changed: int) -> dict[str, str]:
    stored: dict[str, str] = json.loads(path.read_text())
    return stored


def _secret() -> str:
    secret: str = settings.SEAL_KEY
    if len(secret) < MINIMUM_SECRET:
        raise ImproperlyConfigured(f"STRONGROOM_SEAL_KEY must have at least {MINIMUM_SECRET} characters.")
    return secret


def _make(folder: Path, at: datetime) -> None:
    """Make all keys, unless another process has made them meanwhile."""
    folder.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".keys-", dir=folder.parent))  # mode 0700
    root = issuing.new_root("Strongroom root", at=at, until=at + ROOT_LIFE)
    _write(draft, "root", root.key, root.certificate)
    for name, usage in (("edge", Usage.SERVER), ("clients", Usage.CLIENT)):
        issuer = issuing.new_issuer(root, f"Strongroom {name}", usage, at=at, until=at + ISSUER_LIFE)
        _write(draft, name, issuer.key, issuer.certificate)
    _write(draft, "signing", keys.new_key())
    try:
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft)
        if not (folder / "signing.json").exists():
            raise


def _write(folder: Path, name: str, key: PrivateKey, certificate: Certificate | None = None) -> None:
    content = {"key": sealing.seal(_secret(), keys.private_pem(key).encode(), label=name)}
    if certificate is not None:
        content["certificate"] = certificates.pem(certificate)
    descriptor = os.open(folder / f"{name}.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
