"""The vault credential file, as docs/protocol.md has it: its name, its fields, and the portal's signature over them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from portal.core import digests
from portal.core.times import rfc3339
from portal.pki import authorities
from portal.pki.crypto import certificates, keys
from vaults.models import Credential, Vault

FORMAT = "strongroom-vault-credentials/1"


@dataclass(frozen=True)
class Replaced:
    """The machine whose place a replacement credential is for."""

    id: UUID
    name: str


def file_name(vault_name: str, at: datetime, replaced: Replaced | None = None) -> str:
    """`<VaultName>_<Www Mmm DD YYYY>.VaultCredentials`, by the date in UTC; for a replacement with the machine's name
    in the middle, so that nobody takes one for the other."""
    about = vault_name if replaced is None else f"{vault_name}_{replaced.name}"
    return f"{about}_{at:%a %b %d %Y}.VaultCredentials"


def canonical(document: Mapping[str, object]) -> bytes:
    """What the signature of a credential file is over: RFC 8785 of all but the signature and the private key."""
    signed = {name: value for name, value in document.items() if name not in {"signature", "private_key"}}
    return digests.canonical(signed)


def document_of(credential: Credential, vault: Vault, replaced: Replaced | None = None) -> dict[str, object]:
    """All that the file holds but the private key, signed; with `machine` when it is for the place of one."""
    signing_key = authorities.signing_key()
    document: dict[str, object] = {
        "format": FORMAT,
        "vault": {
            "id": str(vault.pk),
            "name": vault.name,
            "subscription": vault.subscription.name,
            "region": vault.region.name,
        },
        "purpose": credential.purpose,
        "portal_url": settings.PORTAL_URL,
        "edge_url": settings.EDGE_URL,
        "ca_certificates": authorities.roots_pem(),
        "agent_signing_key": keys.public_pem(signing_key.public_key()),
        "certificate": authorities.client_chain_pem(certificates.read_chain(credential.certificate)[0]),
        "issued_at": rfc3339(credential.issued_at),
        "expires_at": rfc3339(credential.expires_at),
    }
    if replaced is not None:
        document["machine"] = {"id": str(replaced.id), "name": replaced.name}
    return {**document, "signature": keys.sign(signing_key, canonical(document))}
