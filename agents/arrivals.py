"""What arrives at registration: what a computer says of itself, and the key that it has proved to hold."""

from dataclasses import dataclass
from datetime import datetime

from agents import certification, messages
from agents.identity import Signed
from agents.messages import Registration
from portal.accounts.actors import Actor
from portal.crypto import certificates, keys
from portal.crypto.keys import PublicKey
from portal.errors import Invalid


@dataclass(frozen=True)
class Arrival:
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


def read(signed: Signed, *, address: str, at: datetime) -> Arrival:
    """The registration in a message; raises Invalid, also for a machine that has no key of its own."""
    details = messages.parse(Registration, signed.fields)
    key = certification.requested_key(details.csr)
    if keys.digest(key) == keys.digest(certificates.public_key(signed.certificate)):
        raise Invalid({"csr": ["A machine has a key of its own, not the credential's."]})
    return Arrival(signed, details, key, Actor(label=f"machine {details.name}", via="agent", address=address), at)
