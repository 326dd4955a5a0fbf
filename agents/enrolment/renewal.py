"""Renewing a machine's certificate, with its current key, for a new one.

The certificate before stays good for data until its own end, so that a run is not cut; but it may no longer renew with
yet another key: who tries that holds a copy of the identity, and nobody can tell which of the two is the machine.
"""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from agents.enrolment.events import MachineSuspended
from agents.models import Machine, MachineCertificate
from agents.monitoring import heartbeats
from agents.protocol import authentication, certificates, entitlement, errors, messages
from agents.protocol.authentication import Sender
from agents.protocol.messages import Renewal
from agents.protocol.responses import identity_of
from agents.replacement import replacements
from agents.states import MachineState
from portal.audit.actions import Action
from portal.audit.record import record
from portal.audit.transitions import advance
from portal.core.errors import Invalid
from portal.core.times import rfc3339
from portal.events.event import happened
from portal.pki.crypto import keys
from portal.pki.crypto.keys import PublicKey
from vaults.models import Vault


def renew(body: bytes, *, address: str) -> dict[str, object]:
    """The identity with a certificate for the new key; the same one when the same key is asked for again.

    Raises NotAllowed, ClockSkew, Invalid, Throttled. A superseded certificate with another key suspends the machine,
    which stays so although this then raises NotAllowed.
    """
    now = timezone.now()
    sender = authentication.sender_of(body, what="renew", address=address, at=now)
    entitlement.require_machine(sender.machine, sender.machine.vault)
    entitlement.require_renewable(sender.certificate, now)
    key = certificates.requested_key(messages.parse(Renewal, sender.signed.fields).csr)
    if keys.digest(key) == sender.certificate.key_digest:
        raise Invalid({"csr": ["A renewal needs a new key; this one is in the certificate already."]})
    with transaction.atomic():
        certificate = _renewed(sender, key, now)
    if certificate is None:
        raise errors.not_entitled(
            f"{sender.machine.name} is suspended: its certificate had been renewed with another key already, so two"
            " holders of its identity exist.",
            "Ask a member of the vault to check the machine's page in the portal.",
        )
    return identity_of(sender.machine, certificate, sender.machine.vault)


def _renewed(sender: Sender, key: PublicKey, at: datetime) -> MachineCertificate | None:
    """The certificate for `key`; None when the machine was suspended instead.

    1. Lock vault and machine: of two renewals at once the second sees what the first did.
    2. Answer a repeated request as before, as often as makes sense.
    3. Suspend, or issue and supersede, with an entry in the audit log.
    """
    Vault.objects.select_for_update(no_key=True).get(pk=sender.machine.vault_id)
    machine = Machine.objects.select_for_update(no_key=True).get(pk=sender.machine.pk)
    entitlement.require_machine(machine, sender.machine.vault)
    current = MachineCertificate.objects.get(pk=sender.certificate.pk)
    entitlement.require_renewable(current, at)
    same_key = machine.certificates.filter(key_digest=keys.digest(key), revoked_at__isnull=True).first()
    if same_key is not None:
        heartbeats.note_repetition(machine, at=at)
    authentication.spend(sender.signed, at=at, refuse=errors.not_entitled)
    if same_key is not None:
        return same_key
    if current.superseded_at is not None:
        _suspend(machine, sender)
        return None
    entitlement.require_few_renewals(machine, at)
    certificate = certificates.certify(machine, key, at=at)
    MachineCertificate.objects.filter(pk=current.pk).update(superseded_at=at)
    record(
        Action.MACHINE_RENEW,
        actor=sender.actor,
        target=machine,
        detail={"from": current.serial, "to": certificate.serial, "valid_until": rfc3339(certificate.not_after)},
    )
    Machine.objects.filter(pk=machine.pk).update(last_seen_at=at, address=sender.actor.address)
    return certificate


def _suspend(machine: Machine, sender: Sender) -> None:
    machine.vault = sender.machine.vault
    reason = "A superseded certificate asked to be renewed with another key: two holders of one identity exist."
    advance(
        machine,
        MachineState.SUSPENDED,
        actor=sender.actor,
        reason=reason,
        action=Action.MACHINE_SUSPEND,
        detail={"serial": sender.certificate.serial},
        state_reason=reason,
    )
    replacements.call_off(machine, actor=sender.actor)
    happened(MachineSuspended(machine, sender.actor.address), actor=sender.actor)
