"""Redeeming a one-time code: the key that comes with it first gets a credential, and no other key ever does."""

from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.core.actor import Actor
from portal.core.errors import DomainError, Invalid
from portal.core.times import for_people
from portal.pki.crypto import keys
from portal.pki.crypto.keys import PublicKey
from vaults.credentials import code_text, issuance
from vaults.credentials.credential_file import document_of
from vaults.credentials.issuance import Terms, VaultNotActive
from vaults.credentials.one_time_codes import is_entitled
from vaults.models import Credential, OneTimeCode, Vault
from vaults.states import VaultState

ANOTHER = "Show another one-time code on the vault's Quick Start page and run the line that it gives."


class CodeRefused(DomainError):
    """The one-time code does not let this machine register."""

    code = "code_invalid"
    codes = ("code_ended", "code_expired", "code_invalid", "code_issuer_left", "code_used")
    status = 403


@dataclass(frozen=True)
class Redeemed:
    """What the machine gets, without a private key; `created` is false when it had asked before."""

    document: dict[str, object]
    code: OneTimeCode
    created: bool


def find(vault_id: UUID, text: str) -> OneTimeCode | None:
    """The code, if it is one of that vault; whatever has become of it."""
    return OneTimeCode.objects.filter(digest=code_text.digest(text), vault=vault_id).first()


def wrong() -> CodeRefused:
    """There is no such code."""
    return CodeRefused(
        "This one-time code is not one of this vault's.",
        remedy="Type it again as the Quick Start page shows it, or show another one there: a code is shown once.",
    )


def redeem(found: OneTimeCode, key: PublicKey, *, actor: Actor) -> Redeemed:
    """A credential for the holder of `key`, who has proved to hold it; the same one when it asks again.

    Raises CodeRefused, VaultNotActive, and Invalid for a key that a credential was issued for otherwise. In one
    transaction: the vault is locked, so that of two that come at once with one code the second finds it used; what
    others may have changed is looked at; the credential is issued, and the code is the key's from then on.
    """
    try:
        with transaction.atomic():
            vault = Vault.objects.select_for_update(no_key=True, of=("self",)).get(pk=found.vault_id)
            code = (
                OneTimeCode.objects.select_for_update(no_key=True, of=("self",))
                .select_related("person", "credential", "vault__subscription", "vault__region")
                .get(pk=found.pk)
            )
            return _redeem(code, vault, key, actor)
    except IntegrityError as error:
        if not Credential.objects.filter(key_digest=keys.digest(key)).exclude(code=found).exists():
            raise
        raise Invalid({"csr": ["A credential has already been issued for this key. Make a new key."]}) from error


def _redeem(code: OneTimeCode, vault: Vault, key: PublicKey, actor: Actor) -> Redeemed:
    now, digest = timezone.now(), keys.digest(key)
    if code.key_digest not in {"", digest}:
        raise CodeRefused(
            f"Another machine used this one-time code at {for_people(code.redeemed_at or now)}.",
            remedy=f"If that was not you, press End now on the Quick Start page. {ANOTHER}",
            code="code_used",
        )
    if code.ended_at is not None:
        raise CodeRefused(
            f"A member of the vault ended this one-time code at {for_people(code.ended_at)}.",
            remedy=ANOTHER,
            code="code_ended",
        )
    if not is_entitled(code.person, code.vault):
        raise CodeRefused(
            f"{code.person}, whom this one-time code was shown to, has left {code.vault.subscription}.",
            remedy="Ask a member of the vault to show another one on its Quick Start page.",
            code="code_issuer_left",
        )
    if vault.state != VaultState.ACTIVE:
        raise VaultNotActive(
            f"The vault {vault.name} is {vault.state}; machines can register only with Active vaults.",
            remedy="See the vault's page in the portal.",
        )
    ends = code.expires_at if code.credential is None else code.credential.expires_at
    if now >= ends:
        raise CodeRefused(
            f"This one-time code has expired. It was good until {for_people(code.expires_at)}.",
            remedy=ANOTHER,
            code="code_expired",
        )
    if code.credential is not None:
        return Redeemed(document_of(code.credential, code.vault), code, created=False)
    issued = issuance.issue(key, code.vault, Terms(1, Credential.KeyOrigin.MACHINE), actor, issuer=code.person)
    code.redeemed_at, code.key_digest, code.credential = now, digest, issued.credential
    code.save(update_fields=["redeemed_at", "key_digest", "credential"])
    return Redeemed(issued.document, code, created=True)
