"""Vault credentials: issued for 48 hours, ended by the next one, and good for registering machines alone.

One kind registers new machines, the other lets a computer take the place of one machine that is there; each has its own
line of succession. Making the key is kept apart from issuing: `with_key()` makes it here, in memory, and hands it out
once; `issue_to()` and `issue_replacement_to()` take the public key of one that was made elsewhere. The private key is
never stored, logged or cached.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from portal import pki
from portal.accounts.actors import Actor
from portal.audit.record import record
from portal.crypto import certificates, issuing, keys
from portal.crypto.certificates import Kind, Profile
from portal.crypto.keys import PublicKey
from portal.errors import DomainError, Invalid, StaleState
from portal.moments import rfc3339
from vaults.credential_file import Replaced, document_of, file_name
from vaults.models import Credential, Vault
from vaults.queries import vault_worked_on_by
from vaults.states import VaultState

LIFE = timedelta(hours=48)
MOST_MACHINES = 500


class VaultNotActive(DomainError):
    """Only an Active vault hands out credentials and takes machines."""

    code = "vault_not_active"
    status = 409


class CredentialState(StrEnum):
    """What a credential is good for; for a vault, what its newest one is."""

    NONE = "none"
    VALID = "valid"
    USED_UP = "used_up"
    EXPIRED = "expired"
    REPLACED = "replaced"
    ENDED = "ended"


@dataclass(frozen=True)
class Issued:
    """A credential with its file: `document` is what the file holds, as JSON, under the name `file_name`."""

    credential: Credential
    document: dict[str, object]
    file_name: str


@dataclass(frozen=True)
class Standing:
    """The newest credential of a vault, what it is good for, and for how many machines more."""

    state: CredentialState
    credential: Credential | None
    machines_left: int


@dataclass(frozen=True)
class _Terms:
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
    def audited(self) -> dict[str, object]:
        """What the audit log says of them."""
        about = {"machines": self.machines} if self.replaced is None else {"replaces": self.replaced.name}
        return {**about, "key": self.key_origin.value}


def with_key(issue_to_key: Callable[[PublicKey], Issued]) -> Issued:
    """Make a key in memory and have a credential issued to it; the document holds the key, and nothing else does.

    Send the document with `Cache-Control: no-store`.
    """
    key = keys.new_key()
    issued = issue_to_key(key.public_key())
    issued.document["private_key"] = keys.private_pem(key)
    return issued


def issue(vault_id: UUID, *, actor: Actor, machines: int = 1) -> Issued:
    """A credential with a key made here, as `with_key()` says. Raises what `issue_to()` raises."""
    server = Credential.KeyOrigin.SERVER
    return with_key(lambda key: issue_to(key, vault_id, actor=actor, machines=machines, key_origin=server))


def issue_to(
    public_key: PublicKey, vault_id: UUID, *, actor: Actor, machines: int, key_origin: Credential.KeyOrigin
) -> Issued:
    """Issue a credential to the holder of a key, for `machines` new machines; the document lacks the private key.

    Raises NotFound, NotAllowed, Invalid, and VaultNotActive.
    """
    vault = vault_worked_on_by(actor, vault_id)
    _require_number(machines)
    return _issue(public_key, vault, _Terms(machines, key_origin), actor)


def issue_replacement_to(
    public_key: PublicKey, vault_id: UUID, *, actor: Actor, replaced: Replaced, key_origin: Credential.KeyOrigin
) -> Issued:
    """Issue a credential with which one computer may take the place of a machine of the vault.

    Whether somebody agreed to it is for the caller to know. Raises NotFound, NotAllowed, and VaultNotActive.
    """
    return _issue(public_key, vault_worked_on_by(actor, vault_id), _Terms(1, key_origin, replaced), actor)


def end_replacement(machine_id: UUID, *, actor: Actor) -> None:
    """End the unused replacement credential of the machine, where there is one, in the transaction that is open."""
    standing = Credential.objects.filter(
        purpose=Credential.Purpose.REPLACE, machine_id=machine_id, ended_at__isnull=True, machines_used=0
    )
    for credential in standing:
        Credential.objects.filter(pk=credential.pk).update(ended_at=timezone.now(), end=Credential.End.ENDED)
        record("credential:end", actor=actor, target=credential, detail={"serial": credential.serial})


def _issue(public_key: PublicKey, vault: Vault, terms: _Terms, actor: Actor) -> Issued:
    """In one transaction:

    1. Lock the vault's row: of several at once, each waits for the one before.
    2. End the credential before, whatever was left of it.
    3. Issue, later than every one before by at least a microsecond, and write the audit entry.
    """
    with transaction.atomic():
        _lock_active(vault.pk)
        issued_at = _next_moment(vault)
        vault.credentials.filter(**terms.line, ended_at__isnull=True).update(
            ended_at=issued_at, end=Credential.End.REPLACED
        )
        credential = _certified(public_key, vault, issued_at, terms)
        credential.issued_by = actor.person
        credential.save(force_insert=True)
        detail = {**terms.audited, "expires_at": rfc3339(credential.expires_at), "serial": credential.serial}
        record("credential:issue", actor=actor, target=credential, detail=detail)
    document = document_of(credential, vault, terms.replaced)
    return Issued(credential, document, file_name(vault.name, issued_at, terms.replaced))


def end(vault_id: UUID, *, actor: Actor) -> None:
    """End the vault's credential without issuing another.

    Raises NotFound, NotAllowed, and StaleState when there is none that could still be used.
    """
    vault = vault_worked_on_by(actor, vault_id)
    with transaction.atomic():
        Vault.objects.select_for_update(no_key=True).get(pk=vault.pk)
        now = timezone.now()
        newest = _newest(vault)
        if newest is None or state_of(newest, now) != CredentialState.VALID:
            raise StaleState("There is no credential that could still be used.", remedy="There is nothing to end.")
        Credential.objects.filter(pk=newest.pk).update(ended_at=now, end=Credential.End.ENDED)
        record("credential:end", actor=actor, target=newest, detail={"serial": newest.serial})


def standing(vault: Vault) -> Standing:
    """How the vault stands with credentials; one query, and one more for the person who issued it."""
    credential = _newest(vault)
    if credential is None:
        return Standing(CredentialState.NONE, None, 0)
    return Standing(state_of(credential, timezone.now()), credential, machines_left(credential))


def state_of(credential: Credential, at: datetime) -> CredentialState:
    """What the credential is good for at that moment."""
    if at >= credential.expires_at:
        return CredentialState.EXPIRED
    if credential.ended_at is not None:
        replaced = credential.end == Credential.End.REPLACED
        return CredentialState.REPLACED if replaced else CredentialState.ENDED
    return CredentialState.VALID if machines_left(credential) else CredentialState.USED_UP


def machines_left(credential: Credential) -> int:
    """How many more machines may register with it, as far as its number goes."""
    return credential.machines_limit - credential.machines_used


def _require_number(machines: int) -> None:
    if not 1 <= machines <= MOST_MACHINES:
        raise Invalid({"machines": [f"Choose a number from 1 to {MOST_MACHINES}."]})


def _lock_active(vault_id: UUID) -> None:
    vault = Vault.objects.select_for_update(no_key=True).get(pk=vault_id)
    if vault.state != VaultState.ACTIVE:
        raise VaultNotActive(
            f"{vault.name} is {vault.state}; credentials are for Active vaults.",
            remedy="Wait until the vault is Active.",
        )


def _newest(vault: Vault) -> Credential | None:
    issued = vault.credentials.filter(purpose=Credential.Purpose.REGISTER)
    return issued.select_related("issued_by").order_by("-issued_at").first()


def _next_moment(vault: Vault) -> datetime:
    """Now, or just after the last issue when a clock has gone back."""
    newest = vault.credentials.order_by("-issued_at").values_list("issued_at", flat=True).first()
    now = timezone.now()
    return now if newest is None else max(now, newest + timedelta(microseconds=1))


def _certified(public_key: PublicKey, vault: Vault, at: datetime, terms: _Terms) -> Credential:
    """The row of a new credential, not saved yet."""
    id, until = uuid.uuid4(), at + LIFE
    leaf = issuing.issue_client(
        pki.client_authority(), public_key, Profile(Kind.CREDENTIAL, id), at=at, until=until.replace(microsecond=0)
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
