"""Registering a machine: from a message signed with a vault credential to a machine with a certificate of its own.

With a credential for new machines it gets a place of its own; with a replacement credential that of the machine it
names (`agents.enrolment.takeover`).

Decode, validate, authorise, act, render. Everything that is checked about rows is checked under the locks of the
transaction that acts; what was refused is noted after its roll-back.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agents.enrolment import registration_request
from agents.enrolment.events import MachineRegistered
from agents.enrolment.registration_request import RegistrationRequest
from agents.enrolment.takeover import take_over
from agents.models import Machine, MachineCertificate
from agents.monitoring import heartbeats, onboarding
from agents.protocol import authentication, certificates, errors, refusal_log
from agents.protocol.responses import identity_of
from agents.states import ALLOWED_IN, MachineState
from portal.audit.actions import Action
from portal.audit.record import record
from portal.core.errors import DomainError
from portal.events.event import happened
from portal.pki.crypto import keys
from vaults.credentials.issuance import downloaded
from vaults.credentials.vault_credentials import CredentialState, issuer_left, state_of
from vaults.models import Credential, Vault
from vaults.states import VaultState


@dataclass(frozen=True)
class Registered:
    """The answer for the machine, and whether it is new (or the same as when it asked before)."""

    created: bool
    answer: dict[str, object]


def register(body: bytes, *, address: str) -> Registered:
    """Register the machine that sent `body`, a signed message as docs/protocol.md describes it.

    Raises the refusals of the contract: CredentialRefused, ClockSkew, Invalid, VaultNotActive, MachineExists. Repeating
    it with the same credential, name and key gives the same machine, even when the credential has ended by then, but
    not without end: Throttled.
    """
    now = timezone.now()
    try:
        signed = authentication.read(body, what="register", at=now, refuse=errors.invalid)
        credential = authentication.credential_of(signed)
    except DomainError as refused:
        refusal_log.note_stranger("register", refused, address=address)
        raise
    try:
        authentication.require_clock(signed, now)
        request = registration_request.read(signed, address=address, at=now)
        with transaction.atomic():
            return _admit(request, credential)
    except DomainError as refused:
        refusal_log.note(credential, signed.fields, refused, address=address, at=now)
        raise


def _admit(request: RegistrationRequest, credential: Credential) -> Registered:
    """1. Lock the vault, then the credential: registrations of a vault, its redundancy and its credentials wait.
    2. Count it if it is repeated, and spend it. 3. Check all that others may have changed. 4. Write."""
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
    earlier = _earlier(request, credential)
    if earlier is not None:
        heartbeats.note_repetition(earlier.machine, at=request.at)
    authentication.spend(request.signed, at=request.at, refuse=errors.invalid)
    if vault.state != VaultState.ACTIVE:
        raise errors.vault_not_active(vault)
    if earlier is not None:
        return Registered(False, identity_of(earlier.machine, earlier, vault))
    _require_current(credential, request.at)
    _require_issuer(credential, vault)
    _require_unused(credential, request.at)
    settle = take_over if credential.purpose == Credential.Purpose.REPLACE else _newcomer
    machine, certificate = settle(request, credential, vault)
    return Registered(True, identity_of(machine, certificate, vault))


def _require_current(credential: Credential, at: datetime) -> None:
    state = state_of(credential, at)
    if state == CredentialState.EXPIRED:
        raise errors.expired(credential)
    if state in {CredentialState.REPLACED, CredentialState.ENDED}:
        later = downloaded(
            Credential.objects.filter(
                vault_id=credential.vault_id,
                purpose=credential.purpose,
                machine_id=credential.machine_id,
                issued_at__gt=credential.issued_at,
            )
        )
        newest = later.order_by("-issued_at").values_list("issued_at", flat=True).first()
        newest = None if credential.by_code else newest
        raise errors.superseded(credential, newest)


def _require_issuer(credential: Credential, vault: Vault) -> None:
    """A file that somebody took along who has left is worth no more than that person's word."""
    if issuer_left(credential, vault):
        raise errors.issuer_left(credential, vault)


def _earlier(request: RegistrationRequest, credential: Credential) -> MachineCertificate | None:
    """The certificate that the same credential, name and key were given before, while it still counts.

    It comes before the check of what the credential is still good for: a response may be lost, and the credential end
    meanwhile; and nothing is given but what the holder of that key was to have.
    """
    return (
        MachineCertificate.objects.select_related("machine")
        .filter(
            machine__credential=credential,
            machine__name_key=request.name_key,
            machine__state__in=ALLOWED_IN,
            key_digest=keys.digest(request.key),
            revoked_at__isnull=True,
        )
        .first()
    )


def _require_unused(credential: Credential, at: datetime) -> None:
    if state_of(credential, at) == CredentialState.USED_UP:
        users = credential.machines.order_by("-registered_at").values_list("name", flat=True)
        raise errors.used_up(credential, list(users[:5]))


def _newcomer(request: RegistrationRequest, credential: Credential, vault: Vault) -> tuple[Machine, MachineCertificate]:
    """A machine that has not been here before; raises MachineExists."""
    same_name = vault.machines.filter(name_key=request.name_key)
    if same_name.exclude(state=MachineState.UNREGISTERED).exists():
        raise errors.machine_exists(request.details.name, vault)
    machine = _create(request, credential, vault)
    certificate = certificates.certify(machine, request.key, at=request.at)
    _count(machine, credential, vault, request)
    return machine, certificate


def _create(request: RegistrationRequest, credential: Credential, vault: Vault) -> Machine:
    return Machine.objects.create(
        vault=vault,
        name=request.details.name,
        name_key=request.name_key,
        credential=credential,
        platform=request.details.platform.model_dump(),
        agent_version=request.details.agent_version,
        address=request.actor.address,
        registered_at=request.at,
        last_seen_at=request.at,
    )


def _count(machine: Machine, credential: Credential, vault: Vault, request: RegistrationRequest) -> None:
    """The credential has a place less, the vault a machine more; the first one ever locks its redundancy."""
    registration_request.count_use(credential)
    onboarding.begin(machine, credential, request.at)
    changes: dict[str, object] = {"machine_count": F("machine_count") + 1, "updated_at": request.at}
    if first := vault.redundancy_locked_at is None:
        changes |= {"redundancy_locked_at": request.at, "redundancy_locked_by": machine.name}
    Vault.objects.filter(pk=vault.pk).update(**changes)
    happened(MachineRegistered(machine, credential, request.actor.address), actor=request.actor)
    if first:
        record(Action.VAULT_LOCK_REDUNDANCY, actor=request.actor, target=vault, detail={"redundancy": vault.redundancy})
