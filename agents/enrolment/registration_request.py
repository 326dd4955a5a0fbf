"""A registration request: what a computer says of itself, and the key that it has proved to hold; and what every
registration changes, whatever kind of credential it came with."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from agents.protocol import certificates as certification
from agents.protocol import messages
from agents.protocol.authentication import Signed
from agents.protocol.messages import Registration
from portal.core.actor import Actor, Via
from portal.core.errors import Invalid
from portal.pki.crypto import certificates, keys
from portal.pki.crypto.keys import PublicKey
from vaults.models import Credential


@dataclass(frozen=True)
class RegistrationRequest:
    """A well-formed registration, signed with a credential of ours. Whether that still counts is not checked."""

    signed: Signed
    details: Registration
    key: PublicKey
    actor: Actor
    at: datetime

    @property
    def name_key(self) -> str:
        """The name by which machines are told apart."""
        return self.details.name.lower()


def read(signed: Signed, *, address: str, at: datetime) -> RegistrationRequest:
    """The registration in a message; raises Invalid, also for a machine that has no key of its own."""
    details = messages.parse(Registration, signed.fields)
    key = certification.requested_key(details.csr)
    if keys.digest(key) == keys.digest(certificates.public_key(signed.certificate)):
        raise Invalid({"csr": ["A machine has a key of its own, not the credential's."]})
    return RegistrationRequest(
        signed, details, key, Actor(label=f"machine {details.name}", via=Via.AGENT, address=address), at
    )


def count_use(credential: Credential) -> None:
    """Count one more machine as registered with the credential."""
    Credential.objects.filter(pk=credential.pk).update(machines_used=F("machines_used") + 1)
