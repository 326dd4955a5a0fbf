"""Credentials for keys that are made elsewhere: a challenge, and a proof that whoever answers it holds the key.

The private key stays where it was made, in a browser for one. What comes here is its public half, and a signature over

    strongroom-credential-1\\n<vault uuid>\\n<challenge>\\n<public key, as it was sent>

A challenge is a row, bound to one person and one vault, good for ten minutes, and deleted in the transaction that
issues a credential for it: so it is used once, whatever the broker does, and a refusal leaves it usable.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.core.actor import Actor
from portal.core.errors import Invalid
from portal.pki.crypto import keys
from portal.pki.crypto.errors import Unacceptable
from portal.pki.crypto.keys import PublicKey
from vaults.credentials import issuance, vault_credentials
from vaults.credentials.issuance import Issued
from vaults.models import Credential, CredentialChallenge, Vault
from vaults.queries import vault_worked_on_by

LIFE = timedelta(minutes=10)
PURPOSE = "strongroom-credential-1"


@dataclass(frozen=True)
class Claim:
    """What somebody sends who says that a key is theirs; nothing in it is verified.

    `public_key` is SPKI in standard base64; `proof` a signature in standard base64, raw r‖s as WebCrypto makes it, or
    DER as openssl does.
    """

    public_key: str
    proof: str
    challenge: str


def new(vault_id: UUID, *, actor: Actor) -> CredentialChallenge:
    """A challenge for the actor's person and this vault; raises NotFound and NotAllowed."""
    vault = vault_worked_on_by(actor, vault_id)
    return CredentialChallenge.objects.create(
        text=secrets.token_urlsafe(32), vault=vault, person=actor.person, expires_at=timezone.now() + LIFE
    )


def issue(vault_id: UUID, unverified: Claim, *, actor: Actor, machines: int) -> Issued:
    """Issue a credential for new machines to the key of the claim, once the claim holds; the document lacks the private
    key.

    Raises NotFound, NotAllowed, VaultNotActive, and Invalid also for what is wrong with the claim.
    """
    vault = vault_worked_on_by(actor, vault_id)
    wanted = vault_credentials.terms(machines, Credential.KeyOrigin.BROWSER)
    with proven_key(vault, unverified, actor) as key:
        return issuance.issue(key, vault, wanted, actor)


@contextmanager
def proven_key(vault: Vault, unverified: Claim, actor: Actor) -> Iterator[PublicKey]:
    """The key of the claim, once the claim holds, for a block that issues a credential to it.

    The block is in the transaction that uses up the challenge. Raises Invalid for a key that is no P-256 key in
    canonical form or has a credential already, a proof that is not by this key, and a challenge that is not for this
    person and vault, was used, or is too old. Whether the person may have a credential is for the caller to know.
    """
    key = _key_of(vault, unverified)
    try:
        with transaction.atomic():
            _use(unverified.challenge, vault, actor)
            yield key
    except IntegrityError as error:
        if not Credential.objects.filter(key_digest=keys.digest(key)).exists():
            raise
        raise Invalid({"public_key": ["A credential has already been issued for this key. Make a new key."]}) from error


def forget_old() -> None:
    """Delete the challenges that nobody answered in time."""
    CredentialChallenge.objects.filter(expires_at__lte=timezone.now()).delete()


def _key_of(vault: Vault, unverified: Claim) -> PublicKey:
    try:
        key = keys.read_public(unverified.public_key)
    except Unacceptable as error:
        raise Invalid({"public_key": ["This is not a P-256 public key: SPKI in standard base64."]}) from error
    signed = "\n".join((PURPOSE, str(vault.pk), unverified.challenge, unverified.public_key)).encode()
    fits = keys.raw_signature_fits(key, unverified.proof, signed) or keys.signature_fits(key, unverified.proof, signed)
    if not fits:
        raise Invalid({"proof": ["The proof does not match the key, the vault and the challenge."]})
    return key


def _use(text: str, vault: Vault, actor: Actor) -> None:
    """Delete it, which one of several at once can do."""
    good = CredentialChallenge.objects.filter(text=text, vault=vault, person=actor.person)
    if not good.filter(expires_at__gt=timezone.now()).delete()[0]:
        raise Invalid({"challenge": ["This challenge is not yours, has been used, or is older than ten minutes."]})
