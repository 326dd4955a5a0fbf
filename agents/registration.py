"""Registering a machine: from a message signed with a vault credential to a machine with a certificate of its own.

Decode, validate, authorise, act, render. Everything that is checked about rows is checked under the locks of the
transaction that acts; what was refused is noted after its roll-back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agents import certification, identity, messages, refusal_log, refusals
from agents.answers import identity as identity_of
from agents.identity import Signed
from agents.messages import Registration
from agents.models import Machine, MachineCertificate
from agents.states import ALLOWED_IN, MachineState
from portal.accounts.actors import Actor
from portal.audit.record import record
from portal.crypto import certificates, keys
from portal.crypto.keys import PublicKey
from portal.errors import DomainError, Invalid
from portal.moments import for_people
from portal.notifications.models import Notification
from portal.notifications.publish import publish
from vaults.credentials import CredentialState, state_of
from vaults.models import Credential, Vault
from vaults.states import VaultState


@dataclass(frozen=True)
class Registered:
    """The answer for the machine, and whether it is new (or the same as when it asked before)."""

    created: bool
    answer: dict[str, object]


@dataclass(frozen=True)
class _Wish:
    """A well-formed registration: what the machine says of itself, and the key it has proved to hold."""

    signed: Signed
    details: Registration
    key: PublicKey
    actor: Actor
    at: datetime


def register(body: bytes, *, address: str) -> Registered:
    """Register the machine that sent `body`, a signed message as docs/protocol.md describes it.

    Raises the refusals of the contract: CredentialRefused, ClockSkew, Invalid, VaultNotActive, MachineExists. Repeating
    it with the same credential, name and key gives the same machine, even when the credential is used up by then.
    """
    now = timezone.now()
    try:
        signed = identity.read(body, what="register", at=now, refuse=refusals.invalid)
        credential = identity.credential_of(signed)
    except DomainError as refused:
        refusal_log.note_stranger("register", refused, address=address)
        raise
    try:
        _require_current(credential, now)
        identity.require_clock(signed, now)
        wish = _wish(signed, address, now)
        with transaction.atomic():
            return _admit(wish, credential)
    except DomainError as refused:
        refusal_log.note(credential, signed.fields, refused, address=address, at=now)
        raise


def _wish(signed: Signed, address: str, at: datetime) -> _Wish:
    details = messages.parse(Registration, signed.fields)
    key = certification.requested_key(details.csr)
    if keys.digest(key) == keys.digest(certificates.public_key(signed.certificate)):
        raise Invalid({"csr": ["A machine has a key of its own, not the credential's."]})
    return _Wish(signed, details, key, Actor(label=f"machine {details.name}", via="agent", address=address), at)


def _admit(wish: _Wish, credential: Credential) -> Registered:
    """1. Lock the vault, then the credential: registrations of a vault, its redundancy and its credentials wait.
    2. Spend the message. 3. Check all that others may have changed. 4. Write."""
    vault = (
        Vault.objects.select_for_update(no_key=True, of=("self",))
        .select_related("region", "subscription")
        .get(pk=credential.vault_id)
    )
    credential = (
        Credential.objects.select_for_update(no_key=True, of=("self",))
        .select_related("issued_by")
        .get(pk=credential.pk)
    )
    identity.spend(wish.signed, at=wish.at, refuse=refusals.invalid)
    _require_current(credential, wish.at)
    if vault.state != VaultState.ACTIVE:
        raise refusals.vault_not_active(vault)
    if (earlier := _earlier(wish, credential)) is not None:
        return Registered(False, identity_of(earlier.machine, earlier, vault))
    _require_place(wish, credential, vault)
    machine = _create(wish, credential, vault)
    certificate = certification.certify(machine, wish.key, at=wish.at)
    _count(machine, credential, vault, wish)
    _tell(machine, credential, vault, wish)
    return Registered(True, identity_of(machine, certificate, vault))


def _require_current(credential: Credential, at: datetime) -> None:
    state = state_of(credential, at)
    if state == CredentialState.EXPIRED:
        raise refusals.expired(credential)
    if state in {CredentialState.REPLACED, CredentialState.ENDED}:
        later = Credential.objects.filter(vault_id=credential.vault_id, issued_at__gt=credential.issued_at)
        newest = later.order_by("-issued_at").values_list("issued_at", flat=True).first()
        raise refusals.superseded(credential, newest)


def _earlier(wish: _Wish, credential: Credential) -> MachineCertificate | None:
    """The certificate that the same credential, name and key were given before, while it still counts."""
    return (
        MachineCertificate.objects.select_related("machine")
        .filter(
            machine__credential=credential,
            machine__name_key=wish.details.name.lower(),
            machine__state__in=ALLOWED_IN,
            key_digest=keys.digest(wish.key),
            revoked_at__isnull=True,
        )
        .first()
    )


def _require_place(wish: _Wish, credential: Credential, vault: Vault) -> None:
    if state_of(credential, wish.at) == CredentialState.USED_UP:
        users = credential.machine_set.order_by("-registered_at").values_list("name", flat=True)
        raise refusals.used_up(credential, list(users[:5]))
    same_name = vault.machine_set.filter(name_key=wish.details.name.lower())
    if same_name.exclude(state=MachineState.UNREGISTERED).exists():
        raise refusals.machine_exists(wish.details.name, vault)


def _create(wish: _Wish, credential: Credential, vault: Vault) -> Machine:
    return Machine.objects.create(
        vault=vault,
        name=wish.details.name,
        name_key=wish.details.name.lower(),
        credential=credential,
        platform=wish.details.platform.model_dump(),
        agent_version=wish.details.agent_version,
        address=wish.actor.address,
        registered_at=wish.at,
        last_seen_at=wish.at,
    )


def _count(machine: Machine, credential: Credential, vault: Vault, wish: _Wish) -> None:
    """The credential has a place less, the vault a machine more; the first one ever locks its redundancy."""
    Credential.objects.filter(pk=credential.pk).update(machines_used=F("machines_used") + 1)
    changes: dict[str, object] = {"machines": F("machines") + 1, "updated_at": wish.at}
    if first := vault.redundancy_locked_at is None:
        changes |= {"redundancy_locked_at": wish.at, "redundancy_locked_by": machine.name}
    Vault.objects.filter(pk=vault.pk).update(**changes)
    detail: Mapping[str, object] = {
        "credential": credential.serial,
        "issued_by": credential.issued_by.username,
        "platform": machine.platform,
    }
    record("machine:register", actor=wish.actor, target=machine, detail=detail)
    if first:
        record("vault:lock-redundancy", actor=wish.actor, target=vault, detail={"redundancy": vault.redundancy})


def _tell(machine: Machine, credential: Credential, vault: Vault, wish: _Wish) -> None:
    publish(
        f"machine-register:{machine.pk}",
        state=Notification.State.INFO,
        title=f'Machine "{machine.name}" registered with vault "{vault.name}".',
        step=f"From {wish.actor.address}, with the credential that {credential.issued_by} downloaded"
        f" at {for_people(credential.issued_at)}.",
        url=f"/machines/{machine.pk}/",
        subscription=vault.subscription,
    )
