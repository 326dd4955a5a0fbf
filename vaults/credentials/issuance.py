"""The act of issuing a vault credential, for all kinds of them: lock, end the one before, certify, record."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from portal.accounts.models import User
from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.actor import Actor
from portal.core.errors import DomainError
from portal.core.prepared import prepared
from portal.core.times import rfc3339
from portal.pki import authorities
from portal.pki.crypto import certificates, issuing, keys
from portal.pki.crypto.certificates import Kind, Profile
from portal.pki.crypto.keys import PrivateKey, PublicKey
from vaults.credentials.credential_file import Replaced, document_of, file_name
from vaults.models import Credential, Vault
from vaults.states import VaultState

LIFE = timedelta(hours=48)
LIFE_BY_CODE = timedelta(hours=1)
"""Of one that a machine got for a one-time code: the machine registers at once, and this is for one that is slow."""


class VaultNotActive(DomainError):
    """Only an Active vault hands out credentials and takes machines."""

    code = "vault_not_active"
    status = 409


@dataclass(frozen=True)
class Issued:
    """A credential with its file: `document` is what the file holds, as JSON, under the name `file_name`."""

    credential: Credential
    document: dict[str, object]
    file_name: str

    def with_private_key(self, key: PrivateKey) -> "Issued":
        """The same with the private key in the document, which nothing else holds: send it with `no-store`."""
        return replace(self, document={**self.document, "private_key": keys.private_pem(key)})


@dataclass(frozen=True)
class Terms:
    """What a credential shall be good for: so many new machines, or the place of one that is there."""

    machines: int
    key_origin: Credential.KeyOrigin
    replaced: Replaced | None = None

    @property
    def line(self) -> dict[str, object]:
        """What all credentials have in common of which only the last one is valid."""
        if self.replaced is None:
            return {"purpose": Credential.Purpose.REGISTER, "machine_id": None}
        return {"purpose": Credential.Purpose.REPLACE, "machine_id": self.replaced.id}

    @property
    def by_code(self) -> bool:
        """Whether a machine asks with a one-time code: such a credential ends none, and none ends it."""
        return self.key_origin == Credential.KeyOrigin.MACHINE

    @property
    def audited(self) -> dict[str, object]:
        """What the audit log says of them."""
        about = {"machines": self.machines} if self.replaced is None else {"replaces": self.replaced.name}
        return {**about, "key": self.key_origin.value}


def issue(public_key: PublicKey, vault: Vault, terms: Terms, actor: Actor, issuer: User | None = None) -> Issued:
    """Issue a credential for the vault to the holder of the key; the document lacks the private key. `issuer` is on
    whose word it is issued where that is not the actor: a machine has none.

    Whether the actor may do that is for the caller to know. Raises VaultNotActive. In one transaction:

    1. Lock the vault's row: of several at once, each waits for the one before.
    2. End the credential before, whatever was left of it; one for a one-time code stands alone.
    3. Issue, later than every one before by at least a microsecond, and write the audit entry.
    """
    with transaction.atomic():
        _lock_active(vault.pk)
        issued_at = _next_issue_time(vault)
        if not terms.by_code:
            before = downloaded(vault.credentials.filter(**terms.line, ended_at__isnull=True))
            before.update(ended_at=issued_at, end=Credential.End.REPLACED)
        credential = _certified(public_key, vault, issued_at, terms)
        credential.issued_by = issuer or actor.person
        credential.save(force_insert=True)
        detail = {
            "vault": vault.name,
            **terms.audited,
            "expires_at": rfc3339(credential.expires_at),
            "serial": credential.serial,
        }
        if issuer is not None:
            detail["issued_by"] = issuer.username
        action = Action.CODE_REDEEM if terms.by_code else Action.CREDENTIAL_ISSUE
        record(action, actor=actor, target=credential, detail=detail)
    document = document_of(credential, vault, terms.replaced)
    return Issued(credential, document, file_name(vault.name, issued_at, terms.replaced))


def downloaded(credentials: QuerySet[Credential]) -> QuerySet[Credential]:
    """Those of them that somebody has downloaded as a file, and not a machine got for a one-time code."""
    return credentials.exclude(key_origin=Credential.KeyOrigin.MACHINE)


def _lock_active(vault_id: uuid.UUID) -> None:
    vault = Vault.objects.select_for_update(no_key=True).get(pk=vault_id)
    if vault.state != VaultState.ACTIVE:
        raise VaultNotActive(
            f"{vault.name} is {vault.state}; credentials are issued only for Active vaults.",
            remedy="Wait until the vault is Active.",
        )


def _next_issue_time(vault: Vault) -> datetime:
    """Now, or just after the last issue when a clock has gone back."""
    newest = _last_issued.first(vault.pk)
    now = timezone.now()
    return now if newest is None else max(now, newest + timedelta(microseconds=1))


@prepared
def _last_issued(vault_id: uuid.UUID) -> QuerySet[Credential, datetime]:
    issued = Credential.objects.filter(vault=vault_id).order_by("-issued_at")
    return issued.values_list("issued_at", flat=True)[:1]


def _certified(public_key: PublicKey, vault: Vault, at: datetime, terms: Terms) -> Credential:
    """The row of a new credential, not saved yet."""
    id, until = uuid.uuid4(), at + (LIFE_BY_CODE if terms.by_code else LIFE)
    leaf = issuing.issue_client(
        authorities.client_authority(),
        public_key,
        Profile(Kind.CREDENTIAL, id),
        at=at,
        until=until.replace(microsecond=0),
    )
    return Credential(
        id=id,
        vault=vault,
        serial=certificates.serial(leaf),
        fingerprint=certificates.fingerprint(leaf),
        certificate=certificates.pem(leaf),
        key_digest=keys.digest(public_key),
        key_origin=terms.key_origin,
        machines_limit=terms.machines,
        issued_at=at,
        expires_at=until,
        **terms.line,
    )
